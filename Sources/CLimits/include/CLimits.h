#pragma once
#include <stddef.h>
#include <stdint.h>

// The limits our figures stand beside: plain C-API loops with no framework, run in the same process, on the same disk, in
// the same minute. Every function returns seconds or a count per its comment, or a negative number on failure (errno or
// the library's code, negated).

/// Creates the textbook table (random-access id `BLOB UNIQUE`, `UNIQUE (stream, version)`, payload) in a new file.
/// @param id_kind 0: no unique id; 1: UUIDv7 (ordered); 2: random.
int limit_log_open(const char *path, int id_kind, void **log);

/// Inserts `events` rows of `payload` bytes over `streams` streams in commits of `batch`, `synchronous=FULL`,
/// 16,384-page checkpoints. @return seconds taken.
double limit_log_append(void *log, int64_t events, int batch, int payload, int streams);

void limit_log_close(void *log);

/// Commits `count` single events one by one and stores each commit's seconds in `each`.
int limit_log_commits(void *log, int count, int payload, double *each);

/// `count` DEALER/ROUTER round trips of `size` bytes over `endpoint`, two threads; each one's seconds in `each`.
int limit_round_trips(const char *endpoint, int count, int size, double *each);

/// Sends `count` messages of `size` bytes from PUB to SUB with unlimited high-water marks. @return seconds until the last
/// one has arrived.
double limit_publish(const char *endpoint, int64_t count, int size);

/// Steps over every row and reads every column of `sql` on a read-only connection. @return seconds; `rows` gets the count.
double limit_scan(const char *path, const char *sql, int64_t *rows);

/// Upserts `rows` cost rows of 16 columns into a table with `indexes` (0–3) secondary indexes, in commits of 10,000.
/// @return seconds taken.
double limit_upsert(const char *path, int64_t rows, int indexes);

/// Listens on a free port of loopback. @return the listening descriptor.
int limit_http_listen(int *port);

/// Answers every request on the listener at once: a small JSON completion, or 20 chunks where it asks for a stream.
/// Returns only on failure.
int limit_http_serve(int listener);

/// What came back, in answers and milliseconds.
struct limit_http_load {
    int64_t answers;
    double seconds;
    double median_ms;
    double p99_ms;
    double first_byte_ms;
};

/// Sends the same request over and over on each of the connections, the next one when the answer is whole; with a `rate`
/// (a second in all; 0: none) not before it is due, and the time that an answer took counts from when it was due.
int limit_http_load(
    int port, int connections, int rate, double seconds, const char *request, int streams,
    struct limit_http_load *result);

/// What a watched load saw.
struct limit_http_watch {
    /// Answers with status 200, and others.
    int64_t accepted;
    int64_t refused;
    /// When the last accepted one had arrived, in microseconds since 1970.
    int64_t last_accepted;
    /// Its `x-finops-call` fields, 41 bytes each, as many as there is room for.
    char *calls;
    size_t calls_room;
    size_t calls_held;
};

/// Sends the same request at `rate` a second in all (0: as fast as answers come) over the connections, whatever is
/// answered. Ends early, with 0 as well, when the server goes away.
int limit_http_watch(
    int port, int connections, int rate, double seconds, const char *request, struct limit_http_watch *result);

/// Writes `count` records of `size` bytes to a file by write(2) under a mutex, while a second thread calls fdatasync
/// `delay` microseconds after the first record that is not on disk; returns when all are. @return seconds that the writes
/// took, without the last sync.
double limit_group_writes(const char *path, int64_t count, int size, unsigned delay);
