/// The tables of one generation. A change of meaning is a new `version`: the projector then rebuilds by itself.
///
/// Money in rollups is split into `units` and `nanos` (floor division of each cell's nano-units by 10⁹), so that SQLite's
/// 64-bit sums hold any total: `units` reaches its end at 9 × 10¹⁸ units, `nanos` after 9 × 10⁹ cells. Both are linear in
/// the cells, so they come out the same whatever the order and batching. `STRICT` refuses a sum that left the integers.
enum ProjectionSchema {
    static let version: Int64 = 7

    static let tables = """
        CREATE TABLE checkpoint(
            one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL, recorded INTEGER NOT NULL,
            version INTEGER NOT NULL, zone TEXT NOT NULL, unknown_events INTEGER NOT NULL,
            halted_at INTEGER, halted_type TEXT, halted_reason TEXT) STRICT;
        CREATE TABLE label(id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
        CREATE TABLE account(
            id INTEGER PRIMARY KEY, provider TEXT NOT NULL, name TEXT NOT NULL,
            observed INTEGER NOT NULL DEFAULT 0, bucket_end INTEGER NOT NULL DEFAULT 0) STRICT;
        CREATE TABLE scope(id INTEGER PRIMARY KEY, account INTEGER NOT NULL, provider_project TEXT) STRICT;
        CREATE TABLE owner(id INTEGER PRIMARY KEY, team TEXT, project TEXT) STRICT;
        CREATE TABLE series(
            id INTEGER PRIMARY KEY, basis INTEGER NOT NULL, scope INTEGER NOT NULL, kind TEXT, api_key TEXT, model TEXT,
            batch INTEGER, service_tier TEXT, size TEXT, source TEXT, vector_store TEXT, context_level TEXT,
            line_item TEXT, bill_key TEXT, project TEXT, provider_key TEXT, task_type TEXT, intent TEXT, feature TEXT,
            unit TEXT) STRICT;
        CREATE TABLE attribution(
            series INTEGER NOT NULL, begins INTEGER NOT NULL, owner INTEGER NOT NULL, rule TEXT, version INTEGER,
            PRIMARY KEY (series, begins)) STRICT, WITHOUT ROWID;
        CREATE TABLE cell(
            id INTEGER PRIMARY KEY, day INTEGER NOT NULL, requests INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
            cached_input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost INTEGER, terms INTEGER NOT NULL,
            position INTEGER NOT NULL, observed INTEGER NOT NULL) STRICT;
        CREATE TABLE cell_detail(
            id INTEGER PRIMARY KEY, \(CellTable.detailColumns.map { "\($0) INTEGER" }.joined(separator: ", "))) STRICT;
        CREATE TABLE terms(
            id INTEGER PRIMARY KEY, currency INTEGER NOT NULL, length INTEGER NOT NULL, price_version INTEGER NOT NULL,
            unpriced_reason INTEGER NOT NULL, flags INTEGER NOT NULL) STRICT;
        CREATE TABLE daily(
            series INTEGER NOT NULL, day INTEGER NOT NULL, utc_day INTEGER NOT NULL, owner INTEGER NOT NULL,
            currency INTEGER NOT NULL, yields INTEGER NOT NULL, in_force INTEGER NOT NULL, \(sums),
            PRIMARY KEY (series, day, utc_day, owner, currency, yields)) STRICT, WITHOUT ROWID;
        CREATE TABLE daily_total(
            day INTEGER NOT NULL, owner INTEGER NOT NULL, account INTEGER NOT NULL, model INTEGER NOT NULL,
            basis INTEGER NOT NULL, in_force INTEGER NOT NULL, currency INTEGER NOT NULL, \(sums),
            PRIMARY KEY (day, owner, account, model, basis, in_force, currency)) STRICT, WITHOUT ROWID;
        CREATE TABLE daily_owner(
            day INTEGER NOT NULL, owner INTEGER NOT NULL, account INTEGER NOT NULL, basis INTEGER NOT NULL,
            in_force INTEGER NOT NULL, currency INTEGER NOT NULL, \(sums),
            PRIMARY KEY (day, owner, account, basis, in_force, currency)) STRICT, WITHOUT ROWID;
        CREATE TABLE in_force(
            scope INTEGER NOT NULL, utc_day INTEGER NOT NULL, position INTEGER NOT NULL,
            PRIMARY KEY (scope, utc_day)) STRICT, WITHOUT ROWID;
        CREATE TABLE bill_rows(
            id INTEGER PRIMARY KEY, provider TEXT NOT NULL, account TEXT NOT NULL, bucket_start INTEGER NOT NULL,
            bucket_end INTEGER NOT NULL, provider_project TEXT, line_item TEXT, api_key TEXT, amount INTEGER NOT NULL,
            currency TEXT NOT NULL, amount_texts TEXT NOT NULL, quantity TEXT, quantity_unit TEXT,
            withdrawn INTEGER NOT NULL, observed INTEGER NOT NULL, position INTEGER NOT NULL) STRICT;
        CREATE INDEX bill_rows_by_bucket ON bill_rows(account, bucket_start);
        CREATE TABLE allocations(
            id INTEGER PRIMARY KEY, provider TEXT NOT NULL, account TEXT NOT NULL, utc_day INTEGER NOT NULL,
            provider_project TEXT, line_item TEXT, api_key TEXT, amount INTEGER NOT NULL, currency TEXT NOT NULL,
            rule TEXT NOT NULL, position INTEGER NOT NULL, cells BLOB NOT NULL) STRICT;
        CREATE INDEX allocations_by_day ON allocations(account, utc_day);
        CREATE TABLE assignments(
            provider TEXT NOT NULL, account TEXT NOT NULL, subject_kind TEXT NOT NULL, subject TEXT NOT NULL,
            version INTEGER NOT NULL, begins INTEGER NOT NULL, team TEXT NOT NULL, project TEXT NOT NULL,
            position INTEGER NOT NULL,
            PRIMARY KEY (provider, account, subject_kind, subject, version, begins)) STRICT, WITHOUT ROWID;
        CREATE TABLE restatements(
            position INTEGER PRIMARY KEY, subject TEXT NOT NULL, provider TEXT NOT NULL, account TEXT NOT NULL,
            service TEXT, provider_project TEXT, api_key TEXT, model TEXT, bucket_start INTEGER NOT NULL,
            bucket_end INTEGER NOT NULL, growth INTEGER NOT NULL, before_cost INTEGER, after_cost INTEGER,
            difference INTEGER NOT NULL, currency TEXT, before_tokens INTEGER NOT NULL, after_tokens INTEGER NOT NULL,
            previous_observed INTEGER NOT NULL, observed INTEGER NOT NULL) STRICT;
        CREATE TABLE unpriced(
            provider TEXT NOT NULL, model TEXT NOT NULL, account TEXT NOT NULL, day TEXT NOT NULL,
            reason TEXT NOT NULL, position INTEGER NOT NULL,
            PRIMARY KEY (provider, model, account, day)) STRICT, WITHOUT ROWID;
        CREATE TABLE teams(
            team TEXT PRIMARY KEY, owner TEXT NOT NULL, budget INTEGER, currency TEXT, position INTEGER NOT NULL)
            STRICT, WITHOUT ROWID;
        CREATE TABLE projects(project TEXT PRIMARY KEY, team TEXT NOT NULL, position INTEGER NOT NULL)
            STRICT, WITHOUT ROWID;
        CREATE TABLE project_teams(
            position INTEGER PRIMARY KEY, project TEXT NOT NULL, team TEXT NOT NULL, begins INTEGER) STRICT;
        CREATE TABLE api_keys(
            provider TEXT NOT NULL, provider_key_id TEXT NOT NULL, project TEXT NOT NULL, begins INTEGER,
            position INTEGER NOT NULL, PRIMARY KEY (provider, provider_key_id)) STRICT, WITHOUT ROWID;
        CREATE TABLE provider_projects(
            provider TEXT NOT NULL, provider_project TEXT NOT NULL, project TEXT NOT NULL, begins INTEGER,
            position INTEGER NOT NULL, PRIMARY KEY (provider, provider_project)) STRICT, WITHOUT ROWID;
        CREATE TABLE connections(
            provider TEXT NOT NULL, account TEXT NOT NULL, base_url TEXT NOT NULL, api TEXT NOT NULL,
            key_mask TEXT NOT NULL, removed INTEGER NOT NULL, position INTEGER NOT NULL,
            PRIMARY KEY (provider, account)) STRICT, WITHOUT ROWID;
        CREATE TABLE cron_logs(
            run TEXT PRIMARY KEY, provider TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL,
            from_day TEXT NOT NULL, to_day TEXT NOT NULL, state TEXT NOT NULL, started INTEGER, ended INTEGER,
            rows INTEGER NOT NULL DEFAULT 0, recorded INTEGER NOT NULL DEFAULT 0, restated INTEGER NOT NULL DEFAULT 0,
            requests INTEGER NOT NULL DEFAULT 0, retries INTEGER NOT NULL DEFAULT 0, notes TEXT NOT NULL DEFAULT '',
            code TEXT, message TEXT, retriable INTEGER, key_mask TEXT, position INTEGER NOT NULL)
            STRICT, WITHOUT ROWID;
        CREATE INDEX cron_logs_by_position ON cron_logs(position);
        CREATE INDEX cron_logs_by_account ON cron_logs(provider, account, state, ended);
        CREATE TABLE audit_log(
            position INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
            subject TEXT NOT NULL, detail TEXT NOT NULL, reason TEXT NOT NULL) STRICT;
        CREATE TABLE stages(
            position INTEGER PRIMARY KEY, stage TEXT NOT NULL, time INTEGER NOT NULL, change TEXT NOT NULL,
            pid INTEGER NOT NULL, outcome TEXT NOT NULL, expected INTEGER NOT NULL) STRICT;
        CREATE TABLE dead_letters(
            stage TEXT NOT NULL, position INTEGER NOT NULL, stream TEXT NOT NULL, type TEXT NOT NULL,
            attempts INTEGER NOT NULL, error TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
            changed INTEGER NOT NULL, PRIMARY KEY (stage, position)) STRICT, WITHOUT ROWID;
        \(callTables)
        \(alertTables)
        """

    /// Attempts at calls through gateways, and what came of them among the cells: which hours of estimates metered usage
    /// has replaced, how cells of the provider's keys are shared among the projects that called with them, and how many
    /// calls of a model wait for its price, with where and why the first of them was met.
    private static let callTables = """
        CREATE TABLE calls(
            started INTEGER NOT NULL, call TEXT NOT NULL, attempt INTEGER NOT NULL, series INTEGER NOT NULL,
            terms INTEGER NOT NULL, cost INTEGER, gateway INTEGER NOT NULL, model_asked INTEGER NOT NULL,
            route INTEGER NOT NULL, upstream INTEGER NOT NULL, ended INTEGER NOT NULL, usage_estimated INTEGER NOT NULL,
            user TEXT, status INTEGER NOT NULL, first_byte INTEGER NOT NULL, duration INTEGER NOT NULL,
            \(CallTable.quantityColumns.map { "\($0) INTEGER NOT NULL" }.joined(separator: ", ")),
            position INTEGER NOT NULL, first_cost INTEGER, repriced INTEGER, metadata TEXT,
            PRIMARY KEY (started, call, attempt, gateway)) STRICT, WITHOUT ROWID;
        CREATE TABLE unpriced_calls(
            provider TEXT NOT NULL, model TEXT NOT NULL, account TEXT NOT NULL, day TEXT NOT NULL,
            reason TEXT NOT NULL, calls INTEGER NOT NULL, PRIMARY KEY (provider, model)) STRICT, WITHOUT ROWID;
        CREATE TABLE corrections(
            position INTEGER PRIMARY KEY, time INTEGER NOT NULL, subject TEXT NOT NULL, correction TEXT,
            actor TEXT NOT NULL, provider TEXT NOT NULL, account TEXT NOT NULL, service TEXT NOT NULL, project TEXT,
            key TEXT, model TEXT, started INTEGER NOT NULL, call TEXT, attempt INTEGER, before_cost INTEGER,
            after_cost INTEGER, difference INTEGER NOT NULL, currency TEXT NOT NULL, before_version TEXT NOT NULL,
            after_version TEXT NOT NULL, reason TEXT NOT NULL) STRICT;
        CREATE TABLE gateway_keys(key TEXT PRIMARY KEY, project TEXT NOT NULL, position INTEGER NOT NULL)
            STRICT, WITHOUT ROWID;
        CREATE TABLE kills(
            position INTEGER PRIMARY KEY, key TEXT NOT NULL, decided INTEGER NOT NULL, actor TEXT NOT NULL,
            cause TEXT NOT NULL, reason TEXT NOT NULL) STRICT;
        CREATE TABLE enforcements(
            decision INTEGER NOT NULL, gateway TEXT NOT NULL, enforced INTEGER NOT NULL, last_accepted INTEGER,
            last_call TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (decision, gateway)) STRICT, WITHOUT ROWID;
        CREATE TABLE kill_steps(
            decision INTEGER NOT NULL, step TEXT NOT NULL, upstream TEXT NOT NULL, started INTEGER, ended INTEGER,
            outcome TEXT NOT NULL, detail TEXT NOT NULL, before TEXT NOT NULL, attempts INTEGER NOT NULL,
            PRIMARY KEY (decision, step, upstream)) STRICT, WITHOUT ROWID;
        CREATE TABLE gateways(gateway TEXT PRIMARY KEY, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL)
            STRICT, WITHOUT ROWID;
        CREATE TABLE yielding(id INTEGER PRIMARY KEY) STRICT;
        CREATE TABLE share(
            id INTEGER NOT NULL, owner INTEGER NOT NULL, rows INTEGER NOT NULL, requests INTEGER NOT NULL,
            input_tokens INTEGER NOT NULL, cached_input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
            cost INTEGER, PRIMARY KEY (id, owner)) STRICT, WITHOUT ROWID;
        """

    /// What was found about costs and about the pipeline itself, and what was told of it.
    private static let alertTables = """
        CREATE TABLE alerts(
            position INTEGER PRIMARY KEY, time INTEGER NOT NULL, scope TEXT NOT NULL, name TEXT NOT NULL, team TEXT,
            window_kind TEXT NOT NULL, first_day TEXT NOT NULL, window_start INTEGER NOT NULL,
            window_end INTEGER NOT NULL, zone TEXT NOT NULL, level INTEGER NOT NULL, limit_cost INTEGER NOT NULL,
            cost INTEGER NOT NULL, currency TEXT NOT NULL, basis TEXT NOT NULL, cause_position INTEGER NOT NULL,
            usage_through INTEGER NOT NULL, previous INTEGER NOT NULL, forecast INTEGER NOT NULL, cause_provider TEXT,
            cause_account TEXT, cause_provider_project TEXT, cause_key TEXT, cause_model TEXT, cause_cost INTEGER,
            cause_growth INTEGER, cleared_position INTEGER, cleared INTEGER, cleared_reason TEXT, cleared_cost INTEGER,
            acknowledged INTEGER, acknowledged_by TEXT) STRICT;
        CREATE INDEX alerts_by_window ON alerts(scope, name, window_kind, first_day, level);
        CREATE TABLE snoozes(
            scope TEXT NOT NULL, name TEXT NOT NULL, until INTEGER NOT NULL, position INTEGER NOT NULL,
            PRIMARY KEY (scope, name)) STRICT, WITHOUT ROWID;
        CREATE TABLE conditions(
            kind TEXT NOT NULL, subject TEXT NOT NULL, since INTEGER NOT NULL, detail TEXT NOT NULL, raised INTEGER,
            ended INTEGER, ending TEXT, position INTEGER NOT NULL,
            PRIMARY KEY (kind, subject, since)) STRICT, WITHOUT ROWID;
        CREATE TABLE notification_items(
            destination TEXT NOT NULL, item TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
            cause INTEGER NOT NULL, queued INTEGER NOT NULL, state TEXT NOT NULL, notification TEXT, told INTEGER,
            position INTEGER NOT NULL, PRIMARY KEY (destination, item)) STRICT, WITHOUT ROWID;
        CREATE INDEX notification_items_by_cause ON notification_items(cause);
        CREATE INDEX notification_items_by_notification ON notification_items(destination, notification);
        CREATE TABLE notifications(
            destination TEXT NOT NULL, notification TEXT NOT NULL, attempt INTEGER NOT NULL,
            items INTEGER NOT NULL DEFAULT 0, kinds TEXT NOT NULL DEFAULT '', held_back INTEGER NOT NULL DEFAULT 0,
            uncertain INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, started INTEGER, ended INTEGER,
            milliseconds INTEGER, answer TEXT, code TEXT, message TEXT, retriable INTEGER, retry_at INTEGER,
            reason TEXT, position INTEGER NOT NULL,
            PRIMARY KEY (destination, notification, attempt)) STRICT, WITHOUT ROWID;
        CREATE INDEX notifications_by_position ON notifications(position);
        """

    /// The sums of a rollup, in the order of `RollupSums`.
    static let sums = RollupSums.columns.map { "\($0) INTEGER NOT NULL" }.joined(separator: ", ")

    /// One row a cell, for people's own SQL: attribution and precedence are joined here, never copied into cells, so a late
    /// mapping is a few rows. A cell that several projects share has a row for each. `task_type`, `intent` and `feature` are
    /// what only calls through a gateway tell; of calls `api_key_id` is the gateway's key.
    static let views = """
        CREATE VIEW cost_data AS
        SELECT date(c.day * 86400, 'unixepoch') AS date,
            strftime('%Y-%m-%dT%H:%M:%SZ', c.id >> \(CellID.seriesBits), 'unixepoch') AS hour,
            a.provider AS provider, a.name AS account, s.kind AS service, sc.provider_project AS provider_project,
            s.api_key AS api_key_id, s.model AS model, s.batch AS batch, s.service_tier AS service_tier,
            s.size AS size, s.source AS source, s.vector_store AS vector_store_id, s.context_level AS context_level,
            s.line_item AS line_item,
            \(["requests", "input_tokens", "cached_input_tokens", "output_tokens"].map {
                "CASE WHEN sh.id IS NULL THEN c.\($0) ELSE sh.\($0) END AS \($0)"
            }.joined(separator: ", ")),
            \(CellTable.detailColumns.map {
                "CASE WHEN coalesce(sh.rows, 1) > 0 THEN coalesce(d.\($0), 0) ELSE 0 END AS \($0)"
            }.joined(separator: ", ")),
            CASE WHEN sh.id IS NULL THEN c.cost ELSE sh.cost END AS cost_nano, cu.text AS currency,
            CASE s.basis WHEN 0 THEN 'metered' WHEN 1 THEN 'billed' ELSE 'estimated' END AS basis,
            pv.text AS price_version, t.flags >> \(TermsFlags.priceEstimatedBit) & 1 AS price_estimated,
            t.flags >> \(TermsFlags.longContextPossibleBit) & 1 AS long_context_possible,
            ur.text AS unpriced_reason,
            o.team AS team, o.project AS project,
            CASE WHEN sh.id IS NULL THEN at.rule ELSE 'calls' END AS attribution_rule,
            CASE WHEN sh.id IS NULL THEN at.version END AS attribution_version,
            s.task_type AS task_type, s.intent AS intent, s.feature AS feature,
            (s.basis = 1) = EXISTS (
                SELECT 1 FROM in_force f JOIN scope fs ON fs.id = f.scope
                WHERE (f.scope = s.scope OR s.basis = 2 AND sc.provider_project IS NULL AND fs.account = sc.account)
                AND f.utc_day = (c.id >> \(CellID.seriesBits)) / 86400)
                AND NOT EXISTS (SELECT 1 FROM yielding y WHERE y.id = c.id) AS in_force,
            c.position AS position, c.observed AS observed
        FROM cell c
        JOIN series s ON s.id = c.id & \(CellID.seriesMask)
        JOIN scope sc ON sc.id = s.scope
        JOIN account a ON a.id = sc.account
        JOIN terms t ON t.id = c.terms
        LEFT JOIN share sh ON sh.id = c.id
        LEFT JOIN cell_detail d ON d.id = c.id
        LEFT JOIN label cu ON cu.id = t.currency
        LEFT JOIN label pv ON pv.id = t.price_version
        LEFT JOIN label ur ON ur.id = t.unpriced_reason
        LEFT JOIN attribution at ON at.series = s.id AND at.begins = (
            SELECT max(begins) FROM attribution b WHERE b.series = s.id AND b.begins <= c.id >> \(CellID.seriesBits))
        LEFT JOIN owner o ON o.id = coalesce(sh.owner, at.owner);
        """

    /// What a canonical dump covers, each in the order of its key. The checkpoint's position is part of it.
    static let dumped: [(table: String, order: String)] = [
        ("checkpoint", "one"), ("label", "id"), ("account", "id"), ("scope", "id"), ("owner", "id"), ("series", "id"),
        ("attribution", "series, begins"), ("terms", "id"), ("cell", "id"), ("cell_detail", "id"),
        ("daily", "series, day, utc_day, owner, currency, yields"), ("calls", "started, call, attempt, gateway"),
        ("corrections", "position"), ("unpriced_calls", "provider, model"),
        ("yielding", "id"), ("share", "id, owner"), ("project_teams", "position"),
        ("gateway_keys", "key"), ("kills", "position"), ("enforcements", "decision, gateway"),
        ("kill_steps", "decision, step, upstream"), ("gateways", "gateway"),
        ("daily_total", "day, owner, account, model, basis, in_force, currency"),
        ("daily_owner", "day, owner, account, basis, in_force, currency"), ("in_force", "scope, utc_day"),
        ("bill_rows", "id"), ("allocations", "id"),
        ("assignments", "provider, account, subject_kind, subject, version, begins"), ("restatements", "position"),
        ("unpriced", "provider, model, account, day"), ("teams", "team"), ("projects", "project"),
        ("api_keys", "provider, provider_key_id"), ("provider_projects", "provider, provider_project"),
        ("connections", "provider, account"), ("cron_logs", "run"), ("audit_log", "position"), ("stages", "position"),
        ("dead_letters", "stage, position"), ("alerts", "position"), ("snoozes", "scope, name"),
        ("conditions", "kind, subject, since"), ("notification_items", "destination, item"),
        ("notifications", "destination, notification, attempt"),
    ]
}

/// A cell's row id: its bucket's first second, then its series. One integer is the whole identity, and rows lie in the
/// file by time.
enum CellID {
    static let seriesBits: Int64 = 29
    static let seriesMask: Int64 = (1 << seriesBits) - 1
    /// Exclusive: 34 bits of Unix seconds, the year 2514.
    static let bucketLimit: Int64 = 1 << 34

    static func make(bucket: Int64, series: Int64) -> Int64 { bucket << seriesBits | series }
    static func bucket(_ id: Int64) -> Int64 { id >> seriesBits }
    static func series(_ id: Int64) -> Int64 { id & seriesMask }
}
