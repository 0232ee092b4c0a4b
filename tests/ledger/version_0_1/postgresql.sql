CREATE TABLE zoho_sync_version (
	version SERIAL NOT NULL, 
	PRIMARY KEY (version)
);
CREATE TABLE zoho_sync_ack (
	stream VARCHAR(100) COLLATE "C" NOT NULL, 
	record_key VARCHAR(255) COLLATE "C" NOT NULL, 
	version VARCHAR(255) COLLATE "C" NOT NULL, 
	status VARCHAR(10) NOT NULL, 
	zoho_id VARCHAR(32), 
	action VARCHAR(10), 
	channel VARCHAR(10), 
	family VARCHAR(15), 
	error_code VARCHAR(100), 
	error_field VARCHAR(255), 
	error_message VARCHAR(500), 
	attempts INTEGER NOT NULL, 
	next_attempt_at TIMESTAMP WITHOUT TIME ZONE, 
	job_id VARCHAR(32), 
	run_id VARCHAR(32), 
	payload_hash VARCHAR(64), 
	folded_key VARCHAR(255) COLLATE "C", 
	acked_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	PRIMARY KEY (stream, record_key)
);
CREATE INDEX ix_zoho_sync_ack_due ON zoho_sync_ack (stream, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX ix_zoho_sync_ack_folded ON zoho_sync_ack (stream, folded_key) WHERE folded_key IS NOT NULL;
ALTER TABLE zoho_sync_ack SET (fillfactor = 45);
CREATE TABLE zoho_sync_job (
	job_id VARCHAR(32) NOT NULL, 
	stream VARCHAR(100) COLLATE "C" NOT NULL, 
	run_id VARCHAR(32) NOT NULL, 
	module VARCHAR(100) NOT NULL, 
	parent_job_id VARCHAR(32), 
	step VARCHAR(10) NOT NULL, 
	row_count INTEGER NOT NULL, 
	manifest BYTEA, 
	file_id VARCHAR(64), 
	create_body TEXT, 
	zoho_job_id VARCHAR(64), 
	called_back_at TIMESTAMP WITHOUT TIME ZONE, 
	download_url VARCHAR(1000), 
	synced_count INTEGER, 
	rejected_count INTEGER, 
	due_again_count INTEGER, 
	credits INTEGER NOT NULL, 
	error_message VARCHAR(500), 
	intended_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	PRIMARY KEY (job_id)
);
CREATE INDEX ix_zoho_sync_job_step ON zoho_sync_job (step);
CREATE INDEX ix_zoho_sync_job_run_id ON zoho_sync_job (run_id);
CREATE TABLE zoho_sync_run (
	run_id VARCHAR(32) NOT NULL, 
	stream VARCHAR(100) COLLATE "C" NOT NULL, 
	partition_name VARCHAR(20) NOT NULL, 
	lock_name VARCHAR(150) COLLATE "C" NOT NULL, 
	host VARCHAR(255) NOT NULL, 
	pid INTEGER NOT NULL, 
	process_space VARCHAR(100) NOT NULL, 
	started_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	heartbeat_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	finished_at TIMESTAMP WITHOUT TIME ZONE, 
	how_ended VARCHAR(20), 
	read_count INTEGER, 
	synced_count INTEGER, 
	unchanged_count INTEGER, 
	superseded_count INTEGER, 
	rejected_count INTEGER, 
	parked_count INTEGER, 
	unsynced_count INTEGER, 
	credits INTEGER, 
	PRIMARY KEY (run_id), 
	UNIQUE (lock_name)
);
