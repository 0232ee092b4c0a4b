CREATE TABLE zoho_sync_version (
	version INTEGER NOT NULL AUTO_INCREMENT, 
	PRIMARY KEY (version)
);
CREATE TABLE zoho_sync_ack (
	stream VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
	record_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
	version VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
	status VARCHAR(10) NOT NULL, 
	zoho_id VARCHAR(32), 
	action VARCHAR(10), 
	channel VARCHAR(10), 
	family VARCHAR(15), 
	error_code VARCHAR(100), 
	error_field VARCHAR(255), 
	error_message VARCHAR(500) CHARACTER SET utf8mb4, 
	attempts INTEGER NOT NULL, 
	next_attempt_at DATETIME(6), 
	job_id VARCHAR(32), 
	run_id VARCHAR(32), 
	payload_hash VARCHAR(64), 
	folded_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, 
	acked_at DATETIME(6) NOT NULL, 
	PRIMARY KEY (stream, record_key)
);
CREATE INDEX ix_zoho_sync_ack_due ON zoho_sync_ack (stream, next_attempt_at);
CREATE INDEX ix_zoho_sync_ack_folded ON zoho_sync_ack (stream, folded_key);
CREATE TABLE zoho_sync_job (
	job_id VARCHAR(32) NOT NULL, 
	stream VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
	run_id VARCHAR(32) NOT NULL, 
	module VARCHAR(100) NOT NULL, 
	parent_job_id VARCHAR(32), 
	step VARCHAR(10) NOT NULL, 
	row_count INTEGER NOT NULL, 
	manifest LONGBLOB, 
	file_id VARCHAR(64), 
	create_body LONGTEXT CHARACTER SET utf8mb4, 
	zoho_job_id VARCHAR(64), 
	called_back_at DATETIME(6), 
	download_url VARCHAR(1000), 
	synced_count INTEGER, 
	rejected_count INTEGER, 
	due_again_count INTEGER, 
	credits INTEGER NOT NULL, 
	error_message VARCHAR(500) CHARACTER SET utf8mb4, 
	intended_at DATETIME(6) NOT NULL, 
	updated_at DATETIME(6) NOT NULL, 
	PRIMARY KEY (job_id)
);
CREATE INDEX ix_zoho_sync_job_step ON zoho_sync_job (step);
CREATE INDEX ix_zoho_sync_job_run_id ON zoho_sync_job (run_id);
CREATE TABLE zoho_sync_run (
	run_id VARCHAR(32) NOT NULL, 
	stream VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
	partition_name VARCHAR(20) NOT NULL, 
	lock_name VARCHAR(150) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
	host VARCHAR(255) NOT NULL, 
	pid INTEGER NOT NULL, 
	process_space VARCHAR(100) NOT NULL, 
	started_at DATETIME(6) NOT NULL, 
	heartbeat_at DATETIME(6) NOT NULL, 
	finished_at DATETIME(6), 
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
