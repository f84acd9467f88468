BEGIN TRANSACTION;
CREATE TABLE ends (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, event_id TEXT NOT NULL,
    lock_id TEXT, command TEXT NOT NULL, outcome TEXT NOT NULL, cause TEXT NOT NULL,
    reason TEXT NOT NULL, exit_status INTEGER, sent_at REAL NOT NULL, ended_at REAL NOT NULL,
    waited REAL NOT NULL, ran REAL, attempt INTEGER NOT NULL, host TEXT NOT NULL,
    pid INTEGER NOT NULL, output TEXT NOT NULL
);
INSERT INTO "ends" VALUES(1,'652d9866-4c3a-469a-9e2f-4f5b3d0a266b','late',NULL,'true','failed','life_time','over its life_time',NULL,1795863137.555,1.79586313769004154205e+09,1.35041475296020507812e-01,NULL,1,'earlier-host',28274,'');
INSERT INTO "ends" VALUES(2,'c97193d2-273e-4358-945f-bfff3cd90529','errored',NULL,'echo oops; exit 3','errored','exit','exit 3',3,1795863137.552,1.79586313770152592654e+09,1.4918231964111328125e-01,2.70793000026969821192e-04,1,'earlier-host',28274,'oops
');
INSERT INTO "ends" VALUES(3,'2b9e7d4b-39c1-4991-b0ae-459d2cf099ac','done','FREE','echo hello','succeeded','exit','exit 0',0,1795863137.542,1.79586313771455550192e+09,1.596660614013671875e-01,7.62429999667801894247e-05,1,'earlier-host',28274,'hello
');
CREATE TABLE series (
    run TEXT, at INTEGER, outcome TEXT, ends INTEGER NOT NULL, waited REAL NOT NULL,
    PRIMARY KEY (run, at, outcome)
) WITHOUT ROWID;
INSERT INTO "series" VALUES('earlier-host:28274:280e4387',1795863130,'errored',1,1.4918231964111328125e-01);
INSERT INTO "series" VALUES('earlier-host:28274:280e4387',1795863130,'failed',1,1.35041475296020507812e-01);
INSERT INTO "series" VALUES('earlier-host:28274:280e4387',1795863130,'succeeded',1,1.596660614013671875e-01);
CREATE TABLE totals (
    run TEXT, outcome TEXT, ends INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (run, outcome)
) WITHOUT ROWID;
INSERT INTO "totals" VALUES('earlier-host:28274:280e4387','errored',1,1.79586313774795055392e+09);
INSERT INTO "totals" VALUES('earlier-host:28274:280e4387','failed',1,1.79586313774795055392e+09);
INSERT INTO "totals" VALUES('earlier-host:28274:280e4387','succeeded',1,1.79586313774795055392e+09);
CREATE INDEX ends_job ON ends (job_id);
CREATE INDEX ends_event ON ends (event_id);
CREATE INDEX ends_time ON ends (ended_at);
CREATE INDEX ends_outcome ON ends (outcome);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('ends',3);
COMMIT;
