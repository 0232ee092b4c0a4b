// The calls of one of Zoho's TypeScript SDKs, run by node in a folder where that SDK is installed; needs nothing of ours.
//
// Arguments: the SDK's version, base address, client id, client secret, refresh token, a directory, the folder with
// node_modules. Prints one JSON object a call: its name, whether it worked, and if not why, with the line of the SDK that
// failed. A call checks what it reads.
"use strict";

const assert = require("assert");
const fs = require("fs");
const path = require("path");
const { createRequire } = require("module");

const [VERSION, BASE, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, FOLDER, INSTALLED] = process.argv.slice(2);
const PACKAGE = `@zohocrm/typescript-sdk-${VERSION}`;
const load = createRequire(path.join(INSTALLED, "judge.cjs"));
load(PACKAGE); // first, since its files import each other in a circle
const BY_MODULE = Number(VERSION) >= 6; // since then operations on records are made for one module
const POLLS = 600;
const MOMENT = "2026-01-31T08:30:15+00:00";
const known = {}; // what earlier calls found out: ids, and the address of the result

const sdk = (file, name) => load(`${PACKAGE}/dist/${file}`)[name];
// A file of the API exports its class as MasterModel.
const api = (file, name) => sdk(`core/com/zoho/crm/api/${file}`, name || "MasterModel");
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const plain = (value) => (value && value.getValue ? value.getValue() : value);
const choice = (value) => new (sdk("utils/util/choice", "Choice"))(value);

async function records(method, module, ...given) {
    const Operations = api("record/record_operations", "RecordOperations");
    const operations = BY_MODULE ? new Operations(module) : new Operations();
    const all = BY_MODULE ? given : method === "getRecord" ? [given[0], module, ...given.slice(1)] : [module, ...given];
    const answer = await operations[method](...all);
    assert(answer.getObject(), `status ${answer.getStatusCode()} without an object`);
    return answer.getObject();
}

async function parameters(owner, name, value) {
    const made = new (sdk("routes/parameter_map", "ParameterMap"))();
    await made.add(api("record/record_operations", owner)[name], value);
    return made;
}

async function begin() {
    const Environment = sdk("routes/dc/environment", "Environment");
    const token = new (sdk("models/authenticator/oauth_builder", "OAuthBuilder"))()
        .clientId(CLIENT_ID).clientSecret(CLIENT_SECRET).refreshToken(REFRESH_TOKEN).build();
    const config = new (sdk("routes/sdk_config_builder", "SDKConfigBuilder"))();
    const builder = new (sdk("routes/initialize_builder", "InitializeBuilder"))();
    if (!BY_MODULE) builder.user(new (sdk("routes/user_signature", "UserSignature"))("emuladmin@shops.com"));
    // Else it takes each answer's api_domain for one of Zoho's.
    if (config.updateAPIDomain) config.updateAPIDomain(false);
    await builder
        .environment(new Environment(BASE, `${BASE}/oauth/v2/token`, BASE, BY_MODULE ? undefined : "emulator"))
        .token(token)
        .store(new (sdk("models/authenticator/store/file_store", "FileStore"))(path.join(FOLDER, "tokens.txt")))
        .SDKConfig(config.build())
        .resourcePath(FOLDER)
        .initialize();
    const answer = await new (api("org/org_operations", "OrgOperations"))().getOrganization();
    known.zgid = answer.getObject().getOrg()[0].getZgid();
    assert(known.zgid);
}

function recordOf(values) {
    const made = new (api("record/record", "Record"))();
    for (const [name, value] of Object.entries(values)) made.addKeyValue(name, value);
    return made;
}

async function upserted(module, values, key) {
    const body = new (api("record/body_wrapper", "BodyWrapper"))();
    body.setData([recordOf(values)]);
    body.setDuplicateCheckFields([key]);
    body.setTrigger([]);
    const [item] = (await records("upsertRecords", module, body)).getData();
    assert.strictEqual(plain(item.getStatus()), "success", `${plain(item.getCode())} ${[...item.getDetails()]}`);
    return [plain(item.getAction()), String(item.getDetails().get("id"))];
}

function order(amount) {
    const account = new (api("record/record", "Record"))();
    account.setId(BigInt(known.account));
    return {
        Name: "Order T-1", parent_id: "T-1", Customer_Name: "Renée O'Brien", Total_Amount: amount, Weight_Kg: 1.125,
        Order_Date: new Date(2026, 0, 31), Ordered_At: new Date(MOMENT), Status: choice("Paid"), Is_Gift: true,
        Account: account,
    };
}

async function upsertNew() {
    let action;
    [action, known.account] = await upserted("Accounts", { Account_Name: "Judges", Legacy_Id: "T-1" }, "Legacy_Id");
    assert.strictEqual(action, "insert");
    [action, known.order] = await upserted("Orders", order(12.5), "parent_id");
    assert.strictEqual(action, "insert");
}

async function upsertAgain() {
    assert.deepStrictEqual(await upserted("Orders", order(12.75), "parent_id"), ["update", known.order]);
}

async function refused() {
    const body = new (api("record/body_wrapper", "BodyWrapper"))();
    body.setData([recordOf({ Name: "Order T-2", parent_id: "T-2", Customer_Name: "x".repeat(121) })]);
    body.setDuplicateCheckFields(["parent_id"]);
    const [item] = (await records("upsertRecords", "Orders", body)).getData();
    assert.strictEqual(plain(item.getCode()), "INVALID_DATA");
    assert.strictEqual(item.getDetails().get("api_name"), "Customer_Name");
}

async function readBack() {
    const [read] = (await records("getRecord", "Orders", BigInt(known.order))).getData();
    const value = (name) => read.getKeyValue(name);
    assert.strictEqual(String(read.getId()), known.order);
    assert.strictEqual(value("Customer_Name"), "Renée O'Brien");
    assert.strictEqual(Number(value("Total_Amount")), 12.75);
    assert.strictEqual(Number(value("Weight_Kg")), 1.125);
    const date = value("Order_Date");
    assert.deepStrictEqual([date.getFullYear(), date.getMonth(), date.getDate()], [2026, 0, 31]);
    assert.strictEqual(value("Ordered_At").getTime(), new Date(MOMENT).getTime());
    assert.strictEqual(plain(value("Status")), "Paid");
    assert.strictEqual(String(value("Account").getId()), known.account);
}

async function listed() {
    const found = await records("getRecords", "Orders", await parameters("GetRecordsParam", "FIELDS", "parent_id"));
    assert(found.getData().some((one) => one.getKeyValue("parent_id") === "T-1"));
}

async function searched() {
    const wanted = await parameters("SearchRecordsParam", "CRITERIA", "(parent_id:equals:T-1)");
    for (let poll = 0; poll < POLLS; poll++) {
        const found = await records("searchRecords", "Orders", wanted).catch((error) => {
            if (error.message.startsWith("status 204")) return null; // not seen yet
            throw error;
        });
        if (found) {
            assert.deepStrictEqual(found.getData().map((one) => one.getKeyValue("parent_id")), ["T-1"]);
            return;
        }
        await pause(100);
    }
    assert.fail("the search finds nothing");
}

async function coql() {
    const [folder, name] = BY_MODULE ? ["coql", "CoqlOperations"] : ["query", "QueryOperations"];
    const body = new (api(`${folder}/body_wrapper`, "BodyWrapper"))();
    body.setSelectQuery("select id, parent_id from Orders where parent_id in ('T-1', 'none')");
    const file = BY_MODULE ? "coql_operations" : "query_operations";
    const answer = await new (api(`${folder}/${file}`, name))().getRecords(body);
    assert.deepStrictEqual(answer.getObject().getData().map((one) => one.getKeyValue("parent_id")), ["T-1"]);
}

async function upload() {
    const part = new (api("bulk_write/file_body_wrapper", "FileBodyWrapper"))();
    const StreamWrapper = sdk("utils/util/stream_wrapper", "StreamWrapper");
    part.setFile(new StreamWrapper(undefined, undefined, path.join(INSTALLED, "orders.zip")));
    const headers = new (sdk("routes/header_map", "HeaderMap"))();
    const names = api("bulk_write/bulk_write_operations", "UploadFileHeader");
    await headers.add(names.FEATURE, "bulk-write");
    await headers.add(names.X_CRM_ORG, known.zgid);
    known.bulk = new (api("bulk_write/bulk_write_operations", "BulkWriteOperations"))();
    const answer = await known.bulk.uploadFile(part, headers);
    known.file = String(answer.getObject().getDetails().get("file_id"));
    assert(/^\d+$/.test(known.file), known.file);
}

async function jobCreated() {
    const mappings = ["parent_id", "Name", "Total_Amount"].map((name, index) => {
        const mapping = new (api("bulk_write/field_mapping", "FieldMapping"))();
        mapping.setAPIName(name);
        mapping.setIndex(index);
        return mapping;
    });
    const [file, name] = BY_MODULE ? ["modules/minified_module", "MinifiedModule"] : ["modules/module", "Module"];
    const module = new (api(file, name))();
    module.setAPIName("Orders");
    const resource = new (api("bulk_write/resource", "Resource"))();
    resource.setType(choice("data"));
    resource.setModule(module);
    resource.setFileId(known.file);
    resource.setFindBy("parent_id");
    resource.setFieldMappings(mappings);
    const callback = new (api("bulk_write/call_back", "CallBack"))();
    callback.setUrl("https://example.com/callback");
    callback.setMethod(choice("post"));
    const request = new (api("bulk_write/request_wrapper", "RequestWrapper"))();
    request.setCharacterEncoding("UTF-8");
    request.setOperation(choice("upsert"));
    request.setCallback(callback);
    request.setResource([resource]);
    const answer = await known.bulk.createBulkWriteJob(request);
    known.job = String(answer.getObject().getDetails().get("id"));
    assert(/^\d+$/.test(known.job), known.job);
}

async function jobEnded() {
    let told;
    for (let poll = 0; poll < POLLS; poll++) {
        told = (await known.bulk.getBulkWriteJobDetails(BY_MODULE ? known.job : BigInt(known.job))).getObject();
        if (["COMPLETED", "FAILED", "SKIPPED"].includes(plain(told.getStatus()))) break;
        await pause(50);
    }
    assert.strictEqual(plain(told.getStatus()), "COMPLETED");
    const counts = told.getResource()[0].getFile();
    assert.deepStrictEqual([counts.getAddedCount(), counts.getUpdatedCount(), counts.getSkippedCount()], [1, 1, 1]);
    known.address = told.getResult().getDownloadUrl();
}

async function result() {
    const file = (await known.bulk.downloadBulkWriteResult(known.address)).getObject().getFile();
    const content = file.getStream();
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(content);
    assert.strictEqual(bytes.subarray(0, 2).toString(), "PK");
}

async function deleted() {
    const found = await records("deleteRecords", "Orders", await parameters("DeleteRecordsParam", "IDS", known.order));
    assert.strictEqual(plain(found.getData()[0].getStatus()), "success");
}

async function deletedListed() {
    const found = await records("getDeletedRecords", "Orders");
    assert(found.getData().some((one) => String(one.getId()) === known.order));
}

const CALLS = {
    "log in": begin, "upsert": upsertNew, "upsert again": upsertAgain, "upsert refused": refused,
    "read by id": readBack, "list": listed, "search": searched, "COQL": coql, "upload": upload,
    "create job": jobCreated, "read job": jobEnded, "result": result, "delete": deleted, "deleted records": deletedListed,
};

function failingLine(error) {
    const frame = String((error && error.stack) || "").split("\n").find((line) => line.includes(`/${PACKAGE}/`));
    const place = frame && frame.match(/\/dist\/(.+?):(\d+):\d+/);
    if (!place) return "";
    const file = path.join(INSTALLED, "node_modules", PACKAGE, "dist", place[1]);
    return `${place[1]}:${place[2]} ${fs.readFileSync(file, "utf-8").split("\n")[place[2] - 1].trim()}`;
}

async function main() {
    for (const [name, call] of Object.entries(CALLS)) {
        const told = { call: name, ok: true };
        try {
            await call();
        } catch (error) {
            const text = error instanceof Error && error.message ? error.message : String(error);
            Object.assign(told, { ok: false, why: text.slice(0, 500), where: failingLine(error) });
        }
        process.stdout.write(`${JSON.stringify(told)}\n`);
    }
    process.exit(0); // its logger keeps node alive
}

main();
