#include "CLimits.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t random_state = 0x9E3779B97F4A7C15u;
static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

struct log {
    sqlite3 *db;
    sqlite3_stmt *insert, *begin, *commit;
    int id_kind;
    int64_t position;
    int64_t versions[4096];
};

int limit_log_open(const char *path, int id_kind, void **out) {
    struct log *log = calloc(1, sizeof *log);
    int code = sqlite3_open_v2(path, &log->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    log->id_kind = id_kind;
    const char *schema = id_kind == 0
        ? "CREATE TABLE events(position INTEGER PRIMARY KEY, id BLOB, stream INTEGER, version INTEGER, type INTEGER, "
          "recorded INTEGER, payload BLOB, UNIQUE(stream, version))"
        : "CREATE TABLE events(position INTEGER PRIMARY KEY, id BLOB UNIQUE, stream INTEGER, version INTEGER, "
          "type INTEGER, recorded INTEGER, payload BLOB, UNIQUE(stream, version))";
    if (code == SQLITE_OK)
        code = sqlite3_exec(log->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=16384;",
                            NULL, NULL, NULL);
    if (code == SQLITE_OK) code = sqlite3_exec(log->db, schema, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(log->db, "INSERT INTO events VALUES(?,?,?,?,?,?,?)", -1, &log->insert, NULL);
    if (code == SQLITE_OK) code = sqlite3_prepare_v2(log->db, "BEGIN IMMEDIATE", -1, &log->begin, NULL);
    if (code == SQLITE_OK) code = sqlite3_prepare_v2(log->db, "COMMIT", -1, &log->commit, NULL);
    if (code != SQLITE_OK) {
        limit_log_close(log);
        return -code;
    }
    *out = log;
    return 0;
}

static int run(sqlite3_stmt *statement) {
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int insert(struct log *log, const unsigned char *payload, int size, int streams) {
    unsigned char id[16];
    uint64_t high = log->id_kind == 2 ? next_random() : __builtin_bswap64((uint64_t)(1700000000000 + log->position) << 16);
    uint64_t low = next_random();
    memcpy(id, &high, 8);
    memcpy(id + 8, &low, 8);
    int stream = (int)(next_random() % (uint64_t)streams);
    log->position++;
    log->versions[stream]++;
    sqlite3_bind_int64(log->insert, 1, log->position);
    sqlite3_bind_blob(log->insert, 2, id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(log->insert, 3, stream);
    sqlite3_bind_int64(log->insert, 4, log->versions[stream]);
    sqlite3_bind_int64(log->insert, 5, 7);
    sqlite3_bind_int64(log->insert, 6, 1763700000000000 + log->position);
    sqlite3_bind_blob(log->insert, 7, payload, size, SQLITE_STATIC);
    return run(log->insert);
}

double limit_log_append(void *handle, int64_t events, int batch, int payload, int streams) {
    struct log *log = handle;
    unsigned char *bytes = malloc((size_t)payload);
    for (int i = 0; i < payload; i++) bytes[i] = (unsigned char)next_random();
    if (streams > 4096) streams = 4096;
    double start = now();
    int code = SQLITE_OK;
    for (int64_t done = 0; done < events && code == SQLITE_OK;) {
        code = run(log->begin);
        for (int i = 0; i < batch && done < events && code == SQLITE_OK; i++, done++)
            code = insert(log, bytes, payload, streams);
        if (code == SQLITE_OK) code = run(log->commit);
    }
    free(bytes);
    return code == SQLITE_OK ? now() - start : -code;
}

int limit_log_commits(void *handle, int count, int payload, double *each) {
    struct log *log = handle;
    unsigned char *bytes = calloc(1, (size_t)payload);
    int code = SQLITE_OK;
    for (int i = 0; i < count && code == SQLITE_OK; i++) {
        double start = now();
        code = run(log->begin);
        if (code == SQLITE_OK) code = insert(log, bytes, payload, 16);
        if (code == SQLITE_OK) code = run(log->commit);
        each[i] = now() - start;
    }
    free(bytes);
    return -code;
}

void limit_log_close(void *handle) {
    struct log *log = handle;
    sqlite3_finalize(log->insert);
    sqlite3_finalize(log->begin);
    sqlite3_finalize(log->commit);
    sqlite3_close(log->db);
    free(log);
}

struct peer {
    void *context;
    const char *endpoint;
    int64_t count;
    int size;
};

static void *echo(void *argument) {
    struct peer *peer = argument;
    void *router = zmq_socket(peer->context, ZMQ_ROUTER);
    if (zmq_bind(router, peer->endpoint) != 0) return NULL;
    char identity[64];
    char *bytes = malloc((size_t)peer->size);
    for (int64_t i = 0; i < peer->count; i++) {
        int length = zmq_recv(router, identity, sizeof identity, 0);
        int size = zmq_recv(router, bytes, (size_t)peer->size, 0);
        zmq_send(router, identity, (size_t)length, ZMQ_SNDMORE);
        zmq_send(router, bytes, (size_t)size, 0);
    }
    free(bytes);
    zmq_close(router);
    return NULL;
}

int limit_round_trips(const char *endpoint, int count, int size, double *each) {
    struct peer peer = {zmq_ctx_new(), endpoint, count, size};
    pthread_t thread;
    if (pthread_create(&thread, NULL, echo, &peer) != 0) return -errno;
    void *dealer = zmq_socket(peer.context, ZMQ_DEALER);
    zmq_connect(dealer, endpoint);
    char *bytes = calloc(1, (size_t)size);
    for (int i = 0; i < count; i++) {
        double start = now();
        zmq_send(dealer, bytes, (size_t)size, 0);
        zmq_recv(dealer, bytes, (size_t)size, 0);
        each[i] = now() - start;
    }
    pthread_join(thread, NULL);
    free(bytes);
    zmq_close(dealer);
    zmq_ctx_term(peer.context);
    return 0;
}

static void *publish(void *argument) {
    struct peer *peer = argument;
    void *pub = zmq_socket(peer->context, ZMQ_XPUB);
    int unlimited = 0;
    zmq_setsockopt(pub, ZMQ_SNDHWM, &unlimited, sizeof unlimited);
    if (zmq_bind(pub, peer->endpoint) != 0) return NULL;
    char subscription[16];
    zmq_recv(pub, subscription, sizeof subscription, 0);
    char *bytes = calloc(1, (size_t)peer->size);
    for (int64_t i = 0; i < peer->count; i++) zmq_send(pub, bytes, (size_t)peer->size, 0);
    free(bytes);
    zmq_close(pub);
    return NULL;
}

double limit_publish(const char *endpoint, int64_t count, int size) {
    struct peer peer = {zmq_ctx_new(), endpoint, count, size};
    pthread_t thread;
    void *sub = zmq_socket(peer.context, ZMQ_SUB);
    int unlimited = 0;
    zmq_setsockopt(sub, ZMQ_RCVHWM, &unlimited, sizeof unlimited);
    zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "", 0);
    if (pthread_create(&thread, NULL, publish, &peer) != 0) return -errno;
    zmq_connect(sub, endpoint);
    zmq_msg_t message;
    zmq_msg_init(&message);
    zmq_msg_recv(&message, sub, 0);
    double start = now();
    for (int64_t i = 1; i < count; i++) zmq_msg_recv(&message, sub, 0);
    double taken = now() - start;
    zmq_msg_close(&message);
    pthread_join(thread, NULL);
    zmq_close(sub);
    zmq_ctx_term(peer.context);
    return taken;
}

double limit_scan(const char *path, const char *sql, int64_t *rows) {
    sqlite3 *db;
    sqlite3_stmt *statement;
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    double start = now();
    if (code == SQLITE_OK) code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code != SQLITE_OK) return -code;
    int columns = sqlite3_column_count(statement);
    volatile int64_t seen = 0;
    *rows = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        (*rows)++;
        for (int i = 0; i < columns; i++) {
            if (sqlite3_column_type(statement, i) == SQLITE_INTEGER) {
                seen += sqlite3_column_int64(statement, i);
            } else {
                const unsigned char *bytes = sqlite3_column_blob(statement, i);
                int size = sqlite3_column_bytes(statement, i);
                if (size > 0) seen += bytes[0] + bytes[size - 1];
            }
        }
    }
    double taken = now() - start;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return code == SQLITE_DONE ? taken : -code;
}

double limit_upsert(const char *path, int64_t rows, int indexes) {
    sqlite3 *db;
    sqlite3_stmt *upsert;
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db,
                            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=16384;"
                            "CREATE TABLE cost(hour INTEGER, account INTEGER, project INTEGER, key INTEGER, model INTEGER,"
                            " batch INTEGER, tier INTEGER, kind INTEGER, requests INTEGER, input INTEGER, cached INTEGER,"
                            " output INTEGER, cost INTEGER, currency INTEGER, price INTEGER, position INTEGER,"
                            " PRIMARY KEY(hour, account, project, key, model, batch, tier, kind)) WITHOUT ROWID;",
                            NULL, NULL, NULL);
    const char *extra[] = {"CREATE INDEX a ON cost(key, hour)", "CREATE INDEX b ON cost(project, hour)",
                           "CREATE INDEX c ON cost(model, hour)"};
    for (int i = 0; i < indexes && i < 3 && code == SQLITE_OK; i++) code = sqlite3_exec(db, extra[i], NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(db,
                                  "INSERT INTO cost VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET"
                                  " requests=excluded.requests, input=excluded.input, cached=excluded.cached,"
                                  " output=excluded.output, cost=excluded.cost, price=excluded.price,"
                                  " position=excluded.position",
                                  -1, &upsert, NULL);
    if (code != SQLITE_OK) return -code;
    double start = now();
    for (int64_t done = 0; done < rows && code == SQLITE_OK;) {
        code = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
        for (int i = 0; i < 10000 && done < rows && code == SQLITE_OK; i++, done++) {
            int64_t values[16] = {done / 1000, 1, done % 5, done % 100, done % 10, 0, 0, (done / 10) % 100,
                                  9, 20000 + done % 97, 12000, 1900, 123456789 + done, 1, 3, done};
            for (int column = 0; column < 16; column++) sqlite3_bind_int64(upsert, column + 1, values[column]);
            code = run(upsert);
        }
        if (code == SQLITE_OK) code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    }
    double taken = now() - start;
    sqlite3_finalize(upsert);
    sqlite3_close(db);
    return code == SQLITE_OK ? taken : -code;
}

struct group {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int file, dirty, ended, failed;
    unsigned delay;
};

static void *sync_groups(void *argument) {
    struct group *group = argument;
    pthread_mutex_lock(&group->lock);
    while (!group->failed) {
        while (!group->dirty && !group->ended) pthread_cond_wait(&group->changed, &group->lock);
        if (!group->dirty) break;
        pthread_mutex_unlock(&group->lock);
        usleep(group->delay);
        pthread_mutex_lock(&group->lock);
        group->dirty = 0;
        pthread_mutex_unlock(&group->lock);
        int failed = fdatasync(group->file) != 0;
        pthread_mutex_lock(&group->lock);
        group->failed |= failed;
    }
    pthread_mutex_unlock(&group->lock);
    return NULL;
}

double limit_group_writes(const char *path, int64_t count, int size, unsigned delay) {
    struct group group = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, 0, delay};
    group.file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (group.file < 0) return -errno;
    unsigned char *bytes = malloc((size_t)size);
    for (int i = 0; i < size; i++) bytes[i] = (unsigned char)next_random();
    pthread_t thread;
    int code = pthread_create(&thread, NULL, sync_groups, &group);
    double start = now();
    for (int64_t i = 0; i < count && code == 0; i++) {
        pthread_mutex_lock(&group.lock);
        if (write(group.file, bytes, (size_t)size) != size) code = errno;
        if (!group.dirty) {
            group.dirty = 1;
            pthread_cond_signal(&group.changed);
        }
        pthread_mutex_unlock(&group.lock);
    }
    double taken = now() - start;
    pthread_mutex_lock(&group.lock);
    group.ended = 1;
    pthread_cond_signal(&group.changed);
    pthread_mutex_unlock(&group.lock);
    pthread_join(thread, NULL);
    close(group.file);
    free(bytes);
    return code != 0 ? -code : group.failed ? -EIO : taken;
}
