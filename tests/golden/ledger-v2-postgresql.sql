CREATE TABLE schema_version (
	version INTEGER NOT NULL,
	PRIMARY KEY (version)
);

CREATE TABLE study (
	uid VARCHAR(32) NOT NULL,
	name TEXT NOT NULL,
	identity TEXT NOT NULL,
	wishes TEXT DEFAULT '{}' NOT NULL,
	parent_uid VARCHAR(32),
	created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
	PRIMARY KEY (uid),
	UNIQUE (name),
	FOREIGN KEY(parent_uid) REFERENCES study (uid)
);

CREATE TABLE study_hold (
	study_uid VARCHAR(32) NOT NULL,
	fence INTEGER NOT NULL,
	owner TEXT NOT NULL,
	hold_until FLOAT(53) NOT NULL,
	call_key VARCHAR(32) NOT NULL,
	PRIMARY KEY (study_uid),
	FOREIGN KEY(study_uid) REFERENCES study (uid)
);

CREATE TABLE trial (
	trial_uid VARCHAR(64) NOT NULL,
	study_uid VARCHAR(32) NOT NULL,
	number INTEGER NOT NULL,
	role TEXT NOT NULL,
	label TEXT NOT NULL,
	params TEXT NOT NULL,
	digest TEXT NOT NULL,
	words TEXT NOT NULL,
	spec TEXT NOT NULL,
	budget_epochs INTEGER NOT NULL,
	point VARCHAR(64) NOT NULL,
	attempts INTEGER DEFAULT '0' NOT NULL,
	owner TEXT,
	lease_until FLOAT(53),
	call_key VARCHAR(32),
	started_at TIMESTAMP WITH TIME ZONE,
	progress_epoch INTEGER,
	progress_wrong INTEGER,
	progress_total INTEGER,
	PRIMARY KEY (trial_uid),
	CONSTRAINT one_trial_a_number UNIQUE (study_uid, number),
	CONSTRAINT one_trial_a_point UNIQUE (study_uid, point),
	CONSTRAINT number_counts CHECK (number >= 0),
	CONSTRAINT budget_possible CHECK (budget_epochs >= 0),
	CONSTRAINT role_known CHECK (role IN ('baseline', 'enqueued', 'trial')),
	CONSTRAINT progress_possible CHECK (progress_total > 0 AND 0 <= progress_wrong AND progress_wrong <= progress_total),
	FOREIGN KEY(study_uid) REFERENCES study (uid)
);

CREATE TABLE claim (
	study_uid VARCHAR(32) NOT NULL,
	test_fingerprint TEXT NOT NULL,
	models TEXT NOT NULL,
	looks_before INTEGER NOT NULL,
	claimed_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
	PRIMARY KEY (study_uid),
	FOREIGN KEY(study_uid) REFERENCES study (uid)
);

CREATE INDEX ix_claim_test_fingerprint ON claim (test_fingerprint);

CREATE TABLE result (
	trial_uid VARCHAR(64) NOT NULL,
	fence INTEGER,
	status TEXT NOT NULL,
	wrong INTEGER,
	total INTEGER,
	log_loss_sum FLOAT(53),
	epochs INTEGER DEFAULT '0' NOT NULL,
	seconds FLOAT(53),
	error TEXT,
	body TEXT NOT NULL,
	committed_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
	PRIMARY KEY (trial_uid),
	CONSTRAINT done_has_a_score CHECK ((status = 'done' AND wrong IS NOT NULL AND total IS NOT NULL) OR (status = 'failed' AND wrong IS NULL AND total IS NULL AND log_loss_sum IS NULL)),
	CONSTRAINT wrong_possible CHECK (total > 0 AND 0 <= wrong AND wrong <= total),
	CONSTRAINT log_loss_finite CHECK (log_loss_sum BETWEEN -1.7e308 AND 1.7e308),
	FOREIGN KEY(trial_uid) REFERENCES trial (trial_uid)
);

CREATE TABLE late_result (
	trial_uid VARCHAR(64) NOT NULL,
	fence INTEGER NOT NULL,
	status TEXT NOT NULL,
	wrong INTEGER,
	total INTEGER,
	log_loss_sum FLOAT(53),
	epochs INTEGER DEFAULT '0' NOT NULL,
	seconds FLOAT(53),
	error TEXT,
	body TEXT NOT NULL,
	committed_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
	PRIMARY KEY (trial_uid, fence),
	CONSTRAINT late_done_has_a_score CHECK ((status = 'done' AND wrong IS NOT NULL AND total IS NOT NULL) OR (status = 'failed' AND wrong IS NULL AND total IS NULL AND log_loss_sum IS NULL)),
	CONSTRAINT late_wrong_possible CHECK (total > 0 AND 0 <= wrong AND wrong <= total),
	CONSTRAINT late_log_loss_finite CHECK (log_loss_sum BETWEEN -1.7e308 AND 1.7e308),
	FOREIGN KEY(trial_uid) REFERENCES trial (trial_uid)
);

CREATE TABLE figure (
	study_uid VARCHAR(32) NOT NULL,
	wrong INTEGER NOT NULL,
	total INTEGER NOT NULL,
	score TEXT NOT NULL,
	committed_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
	PRIMARY KEY (study_uid),
	CONSTRAINT figure_possible CHECK (total > 0 AND 0 <= wrong AND wrong <= total),
	FOREIGN KEY(study_uid) REFERENCES claim (study_uid)
);

CREATE TABLE mirrored (
	trial_uid VARCHAR(64) NOT NULL,
	target TEXT NOT NULL,
	PRIMARY KEY (trial_uid, target),
	FOREIGN KEY(trial_uid) REFERENCES trial (trial_uid)
);

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'rows of ' || TG_TABLE_NAME || ' are written once'; END $$;

CREATE TRIGGER result_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON result FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER late_result_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON late_result FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER claim_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON claim FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER figure_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON figure FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
