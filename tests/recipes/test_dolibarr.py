"""docs/recipes/dolibarr.md: a time of change that cannot be trusted, so that contents are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recipes.recipe_shop import assert_each_is_found, recipe_shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

TABLES = """
CREATE TABLE llx_commande (
    rowid int NOT NULL AUTO_INCREMENT PRIMARY KEY, ref varchar(30) NOT NULL, entity int NOT NULL DEFAULT 1,
    fk_soc int NOT NULL, tms timestamp NULL, date_creation datetime, date_valid datetime, date_commande date,
    fk_statut smallint DEFAULT 0, total_tva double(24,8) DEFAULT 0, total_ht double(24,8) DEFAULT 0,
    total_ttc double(24,8) DEFAULT 0, multicurrency_code varchar(3), note_public text, extraparams varchar(255),
    UNIQUE KEY uk_commande_ref (ref, entity)
);
CREATE TABLE llx_commandedet (
    rowid int NOT NULL AUTO_INCREMENT PRIMARY KEY, fk_commande int NOT NULL, rang int DEFAULT 0, fk_product int,
    label varchar(255), description text, qty double, subprice double(24,8) DEFAULT 0, total_ht double(24,8) DEFAULT 0,
    total_ttc double(24,8) DEFAULT 0, KEY idx_commandedet_fk_commande (fk_commande)
);
INSERT INTO llx_commande (rowid, ref, fk_soc, date_creation, date_commande, fk_statut, total_ttc, multicurrency_code)
SELECT seq, IF(seq > 14, CONCAT('(PROV', seq, ')'), CONCAT('CO2601-', LPAD(seq, 4, '0'))), 4 + MOD(seq, 2),
    '2026-01-05 10:00:00', '2026-01-05', seq < 15, 119.999 + seq, 'EUR' FROM seq_1_to_16;
INSERT INTO llx_commandedet (rowid, fk_commande, rang, label, qty, subprice, total_ttc)
SELECT seq, 1 + MOD(seq, 16), seq, CONCAT('Vis ', seq), 2.5, 0.123456, 0.37 FROM seq_1_to_32
"""
ORDERS = """SELECT rowid AS parent_id, ref AS Name, fk_statut AS Item_Count, date_commande AS Order_Date,
    multicurrency_code AS Currency_Code, note_public AS Notes, ROUND(total_ttc, 2) AS Total_Amount, fk_soc AS Account
    FROM llx_commande WHERE fk_statut <> 0"""
LINES = """SELECT l.rowid AS line_id, fk_commande AS `Order`, label AS Product, qty AS Quantity,
    ROUND(subprice, 2) AS Unit_Price, ROUND(l.total_ttc, 2) AS Line_Total
    FROM llx_commandedet l JOIN llx_commande o ON o.rowid = l.fk_commande WHERE fk_statut <> 0"""


def order(number: int, values: str) -> str:
    return f"UPDATE llx_commande SET {values} WHERE rowid = {number}"


CHANGES = {
    "a draft is validated": order(15, "ref = 'CO2601-0015', fk_statut = 1, date_valid = NOW()"),
    "in shipment": order(2, "fk_statut = 2"),
    "cancelled": order(3, "fk_statut = -1"),
    "a line's label, which leaves the totals": "UPDATE llx_commandedet SET label = 'Vis à bois' WHERE rowid = 4",
    "a quantity and the new total": "UPDATE llx_commandedet SET qty = 7 WHERE rowid = 5; "
    f"{order(6, 'total_ttc = 99.5')}",
    "a new order": "INSERT INTO llx_commande (rowid, ref, fk_soc, date_commande, fk_statut, total_ttc) VALUES "
    "(50, 'CO2601-0050', 4, CURDATE(), 1, 5); "
    "INSERT INTO llx_commandedet (fk_commande, label, qty) VALUES (50, 'Clou', 1)",
    "a new line": "INSERT INTO llx_commandedet (fk_commande, label, qty) VALUES (7, 'Colle', 1)",
    "a line less": "DELETE FROM llx_commandedet WHERE rowid = 7",
    "another customer": order(9, "fk_soc = 4"),
    "by SQL of somebody": order(10, "note_public = 'appeler avant'"),
    "a deleted order": "DELETE FROM llx_commandedet WHERE fk_commande = 11; DELETE FROM llx_commande WHERE rowid = 11",
}
HIDDEN = {"a draft that changes": order(16, "total_ttc = 1")}


@pytest.mark.nightly
def test_every_kind_of_change_is_found_by_the_run_after_it(mariadb_url: str, zoho_emulator: EmulatorProcess) -> None:
    parts = {"tables": TABLES, "orders": ORDERS, "lines": LINES, "accounts": ("4", "5")}
    with recipe_shop("dolibarr", mariadb_url, zoho_emulator, **parts) as shop:
        assert_each_is_found(shop, CHANGES, HIDDEN)
