// The store of runs. In: the folders of runs, each with run.json and metrics.jsonl. Out: their fields in
// SQLite. A run that is going on, or was gone on with, is read again: it is known by the time and size of its
// files. Reading a run is one transaction, so that processes that read at once see all of it or nothing.
#include "runs_store.h"
#include "reg/file.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

// Of another VERSION the store is made anew.
enum { VERSION = 2 };
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS runs(name TEXT PRIMARY KEY, stamp TEXT, parent TEXT);"
    "CREATE INDEX IF NOT EXISTS parents ON runs(parent);"
    "CREATE TABLE IF NOT EXISTS fields(run TEXT, name TEXT, value, measured INTEGER,"
    " PRIMARY KEY(run, name)) WITHOUT ROWID;"
    // of the run that is being read: `key` its lines; of a run of a sweep what it is called
    "CREATE TEMP TABLE events(key INTEGER PRIMARY KEY, event TEXT, value TEXT, called TEXT);"
    "CREATE TEMP VIEW every AS SELECT run, name, value, measured FROM fields"
    " UNION ALL SELECT name, 'name', name, -1 FROM runs;";

// What run.json says: ?1 the run, ?2 its text, ?3 when it ended.
static const char *const told[] = {
    "INSERT OR REPLACE INTO fields SELECT ?1, key, value, 0 FROM json_each(?2) WHERE type NOT IN ('array', "
    "'object')",
    "INSERT OR REPLACE INTO fields SELECT ?1, 'seed.' || key, value, 0 FROM json_each(?2, '$.seeds')",
    "INSERT OR REPLACE INTO fields SELECT ?1, 'set.' || key, CASE WHEN value GLOB '*[^-+.0-9eE]*' OR value "
    "NOT GLOB '*[0-9]*'"
    " THEN value ELSE CAST(value AS REAL) END, 0 FROM json_each(?2, '$.set')",
    "INSERT OR REPLACE INTO fields SELECT ?1, 'data.' || json_extract(value, '$.name'), json_extract(value, "
    "'$.checksum'), 0"
    " FROM json_each(?2, '$.data')",
    "INSERT OR REPLACE INTO fields SELECT ?1, 'finished', ?3, 0 WHERE ?2 IS NOT NULL"};

static const char line[] =
    "INSERT INTO events(event, value, called) SELECT json_extract(?1, '$.event'), ?1,"
    " iif(json_extract(?1, '$.event') = 'run', ?2 || ':' || json_extract(?1, '$.sweep') ||"
    " coalesce('#' || json_extract(?1, '$.act'), '') || ':' || json_extract(?1, '$.run'), NULL)";

// What events tell: ?1 the run. The last one counts.
#define EVENT(kind) "e.event = '" kind "'"
#define TRAIN       "?1, json_extract(e.value, '$.train') || "
static const char *const measured[] = {
    "INSERT OR REPLACE INTO fields SELECT " TRAIN
    "'.' || v.key, v.value, 2 FROM events e, json_each(e.value) v"
    " WHERE " EVENT(
        "train_end") " AND v.key IN ('epoch', 'step', 'seconds', 'loss', 'objective', 'best_epoch', 'reason')"
                     " ORDER BY e.key",
    "INSERT OR REPLACE INTO fields SELECT " TRAIN "'.' || v.key, v.value, 2"
    " FROM events e, json_each(e.value, '$.terms') v WHERE " EVENT("epoch") " ORDER BY e.key",
    "INSERT OR REPLACE INTO fields SELECT " TRAIN "'.gradient.' || v.key, v.value, 3"
    " FROM events e, json_each(e.value, '$.gradients') v WHERE " EVENT("epoch") " ORDER BY e.key",
    "INSERT OR REPLACE INTO fields SELECT " TRAIN "'.valid.' || v.key, v.value, 2"
    " FROM events e, json_each(e.value, '$.valid') v WHERE " EVENT("epoch") " ORDER BY e.key",
    "INSERT OR REPLACE INTO fields SELECT ?1, json_extract(e.value, '$.data') || '.' || v.key, v.value, 1"
    " FROM events e, json_each(e.value, '$.metrics') v"
    " WHERE " EVENT("evaluate") " AND v.type IN ('real', 'integer') ORDER BY e.key",
    // of one name the first has it as it is
    "INSERT OR REPLACE INTO fields SELECT ?1, name || iif(n > 1, ' #' || n, ''), value, 1 FROM"
    " (SELECT json_extract(e.value, '$.name') AS name, json_extract(e.value, '$.value') AS value,"
    " row_number() OVER (PARTITION BY json_extract(e.value, '$.name') ORDER BY e.key) AS n"
    " FROM events e WHERE " EVENT("report") " AND json_type(e.value, '$.value') IN ('real', 'integer'))",
    "INSERT OR REPLACE INTO fields SELECT ?1, json_extract(e.value, '$.sweep') || '.' || v.key, v.value, 1"
    " FROM events e, json_each(e.value) v"
    " WHERE " EVENT("sweep") " AND v.key IN ('runs', 'diverged', 'failed', 'seconds') ORDER BY e.key",
    "INSERT OR REPLACE INTO fields SELECT ?1, 'error', json_extract(e.value, '$.text'), 0"
    " FROM events e WHERE " EVENT("error")};

// Runs of sweeps: ?1 the run around, ?2 its stamp.
#define OF_RUNS " FROM events e WHERE " EVENT("run")
static const char *const swept[] = {
    "INSERT OR REPLACE INTO runs SELECT called, ?2 || ' ' || json_extract(e.value, '$.sweep') ||"
    " printf(' %06d %09d', coalesce(json_extract(e.value, '$.act'), 1), json_extract(e.value, '$.run')), "
    "?1" OF_RUNS,
    "INSERT OR REPLACE INTO fields SELECT called, v.key, v.value, 1"
    " FROM events e, json_each(e.value, '$.values') v WHERE " EVENT(
        "run") " AND v.type IN ('real', 'integer')",
    "INSERT OR REPLACE INTO fields SELECT called, v.key, v.value, -2"
    " FROM events e, json_each(e.value, '$.axes') v WHERE " EVENT("run"),
    "INSERT OR REPLACE INTO fields SELECT called, 'sweep', json_extract(e.value, '$.sweep'), 0" OF_RUNS,
    "INSERT OR REPLACE INTO fields SELECT called, 'of', ?1, 0" OF_RUNS,
    "INSERT OR REPLACE INTO fields SELECT called, 'outcome', json_extract(e.value, '$.outcome'), 0" OF_RUNS,
    "INSERT OR REPLACE INTO fields SELECT called, 'error', json_extract(e.value, '$.reason'), 0" OF_RUNS
    " AND json_type(e.value, '$.reason') = 'text'",
    "INSERT OR REPLACE INTO fields SELECT r.name, f.name, f.value, 0 FROM runs r, fields f WHERE r.parent = "
    "?1"
    " AND f.run = ?1 AND f.name IN ('program', 'finished') AND ?2 IS NOT NULL"};

static bool store_refused(sqlite3 *db) {
  fprintf(stderr, "regc: the store of runs: %s\n", sqlite3_errmsg(db));
  return false;
}

sqlite3_stmt *runs_query(sqlite3 *db, const char *sql, const char *const *texts, int n) {
  sqlite3_stmt *s;
  if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) {
    store_refused(db);
    return NULL;
  }
  for (int i = 0; i < n; i++) sqlite3_bind_text(s, i + 1, texts[i], -1, SQLITE_STATIC);
  return s;
}

static bool act(sqlite3 *db, const char *sql, const char *const *texts, int n) {
  sqlite3_stmt *s = runs_query(db, sql, texts, n);
  const int code = s ? sqlite3_step(s) : SQLITE_ERROR;
  sqlite3_finalize(s);
  return code == SQLITE_DONE || code == SQLITE_ROW;
}

// -- one run

const char *runs_events(Arena *a, const char *lines) {
  StrBuf b = {.arena = a};
  strbuf_add(&b, "[");
  for (const char *at = lines; at && *at;) {
    const size_t n = strcspn(at, "\n");
    if (!at[n]) break; // a line that is being written
    if (b.len > 1) strbuf_add(&b, ",");
    strbuf_addn(&b, at, n);
    at += n + 1;
  }
  strbuf_add(&b, "]");
  return b.data;
}

static const char *stamp_of(Arena *a, const struct stat *info, const struct stat *metrics) {
  return arena_printf(a, "%lld.%09ld %lld %lld", (long long)info->st_mtim.tv_sec, info->st_mtim.tv_nsec,
                      (long long)info->st_size, (long long)metrics->st_size);
}

static bool is_known(sqlite3 *db, const char *name, const char *stamp) {
  const char *texts[] = {name, stamp};
  sqlite3_stmt *s = runs_query(db, "SELECT 1 FROM runs WHERE name = ?1 AND stamp = ?2", texts, 2);
  const bool known = s && sqlite3_step(s) == SQLITE_ROW;
  sqlite3_finalize(s);
  return known;
}

static bool forget(sqlite3 *db, const char *name) {
  return act(db, "DELETE FROM fields WHERE run = ?1 OR run IN (SELECT name FROM runs WHERE parent = ?1)",
             &name, 1) &&
         act(db, "DELETE FROM runs WHERE name = ?1 OR parent = ?1", &name, 1);
}

// The lines of metrics.jsonl into the table `events`, but for one that is being written.
static bool read_events(sqlite3 *db, const char *lines, const char *run) {
  bool ok = act(db, "DELETE FROM events", NULL, 0);
  sqlite3_stmt *s = ok ? runs_query(db, line, NULL, 0) : NULL;
  for (const char *at = lines; s && ok && at && *at;) {
    const size_t n = strcspn(at, "\n");
    if (!at[n]) break;
    sqlite3_bind_text(s, 1, at, (int)n, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, run, -1, SQLITE_STATIC);
    ok = sqlite3_step(s) == SQLITE_DONE;
    sqlite3_reset(s);
    at += n + 1;
  }
  ok = ok && s;
  sqlite3_finalize(s);
  return ok;
}

static bool read_run(Arena *a, sqlite3 *db, const char *folder, const char *name) {
  struct stat info, metrics = {0};
  char when[32];
  const char *path = arena_printf(a, "%s/%s/run.json", folder, name),
             *lines = arena_printf(a, "%s/%s/metrics.jsonl", folder, name);
  if (stat(path, &info) != 0) return true;
  stat(lines, &metrics);
  const char *stamp = stamp_of(a, &info, &metrics);
  if (is_known(db, name, stamp)) return true;
  struct tm broken;
  strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&info.st_mtim.tv_sec, &broken));
  reg_status st = {0};
  size_t size;
  char *json = reg_file_read(path, &size, "run_missing", &st),
       *events = reg_file_read(lines, &size, "run_missing", &st);
  const char *says[] = {name, json, when}, *row[] = {name, stamp};
  bool ok = json && act(db, "BEGIN IMMEDIATE", NULL, 0);
  if (ok) {
    ok = forget(db, name) && act(db, "INSERT INTO runs VALUES(?1, ?2, NULL)", row, 2);
    for (size_t i = 0; ok && i < sizeof told / sizeof *told; i++) ok = act(db, told[i], says, 3);
    ok = ok && read_events(db, events, name);
    for (size_t i = 0; ok && i < sizeof measured / sizeof *measured; i++) ok = act(db, measured[i], row, 1);
    for (size_t i = 0; ok && i < sizeof swept / sizeof *swept; i++) ok = act(db, swept[i], row, 2);
    act(db, ok ? "COMMIT" : "ROLLBACK", NULL, 0);
  }
  if (!ok) fprintf(stderr, "regc: `%s/%s` cannot be read: %s\n", folder, name, sqlite3_errmsg(db));
  free(json);
  free(events);
  return true; // the others are there
}

// -- all of them

static void forget_gone(Arena *a, sqlite3 *db, const char *folder) {
  sqlite3_stmt *s = runs_query(db, "SELECT name FROM runs WHERE parent IS NULL", NULL, 0);
  VEC(const char *) gone = {0};
  while (s && sqlite3_step(s) == SQLITE_ROW) {
    struct stat info;
    const char *name = arena_strdup(a, (const char *)sqlite3_column_text(s, 0));
    if (stat(arena_printf(a, "%s/%s/run.json", folder, name), &info) != 0) vec_push(a, gone, name);
  }
  sqlite3_finalize(s);
  for (int i = 0; i < gone.len; i++) forget(db, gone.data[i]);
}

static bool read_all(Arena *a, sqlite3 *db, const char *folder) {
  DIR *d = opendir(folder);
  bool ok = d != NULL;
  for (struct dirent *entry; ok && (entry = readdir(d));)
    if (entry->d_name[0] != '.') ok = read_run(a, db, folder, arena_strdup(a, entry->d_name));
  if (d) closedir(d);
  if (ok) forget_gone(a, db, folder);
  return ok;
}

static bool is_current(sqlite3 *db) {
  sqlite3_stmt *s = runs_query(db, "PRAGMA user_version", NULL, 0);
  const bool current = s && sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int(s, 0) == VERSION;
  sqlite3_finalize(s);
  return current;
}

static bool renew(sqlite3 *db) {
  char version[40];
  snprintf(version, sizeof version, "PRAGMA user_version = %d; COMMIT", VERSION);
  if (is_current(db)) return true;
  if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) return false;
  return sqlite3_exec(db, is_current(db) ? "" : "DROP TABLE IF EXISTS runs; DROP TABLE IF EXISTS fields",
                      NULL, NULL, NULL) == SQLITE_OK &&
         sqlite3_exec(db, version, NULL, NULL, NULL) == SQLITE_OK;
}

static bool prepare(sqlite3 *db) {
  sqlite3_busy_timeout(db, 10000);
  sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
  return renew(db) && sqlite3_exec(db, schema, NULL, NULL, NULL) == SQLITE_OK;
}

sqlite3 *runs_open(Arena *a, const char *folder, int *code) {
  sqlite3 *db = NULL;
  struct stat info;
  *code = REG_MISSING_INPUT;
  if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode)) {
    fprintf(stderr, "regc: there is no folder `%s` with runs\n", folder);
    return NULL;
  }
  *code = REG_BAD_DATA;
  if (sqlite3_open(arena_printf(a, "%s/runs.sqlite", folder), &db) != SQLITE_OK || !prepare(db)) {
    sqlite3_close(db);
    if (sqlite3_open(":memory:", &db) != SQLITE_OK || !prepare(db)) {
      store_refused(db);
      sqlite3_close(db);
      return NULL;
    }
  }
  if (!read_all(a, db, folder)) {
    store_refused(db);
    sqlite3_close(db);
    return NULL;
  }
  *code = EXIT_OK;
  return db;
}
