// The runs of a folder as tables of SQLite, for `regc runs` and `regc report`.
#ifndef DRIVER_RUNS_STORE_H
#define DRIVER_RUNS_STORE_H
#include "driver.h"
#include <sqlite3.h>

// Opens runs.sqlite in the folder, brought up to date with the folders of runs in it, which are what counts;
// where it cannot be written, a store in memory. Any number of processes may do so at once. Tables:
// runs(name, stamp, parent): of a run of a sweep `parent` is the run that the sweep is in; fields(run, name,
// value, measured): what run.json says (0), and what was measured last (1; by a training: 2; where a run is
// on an axis: -2); view every: fields, and names. NULL after a mistake, which was told; *code says how to
// end.
sqlite3 *runs_open(Arena *a, const char *folder, int *code);
// A statement with texts bound to ?1, ?2, …; told and NULL where SQLite refuses it.
sqlite3_stmt *runs_query(sqlite3 *db, const char *sql, const char *const *texts, int n);
// The lines of metrics.jsonl (NULL: none) as one array of JSON, but for one that is being written.
const char *runs_events(Arena *a, const char *lines);
// Removes the folders of these runs: all of them, or, where one is being written to, or holds something that
// no run leaves there, none; told. How to end.
int runs_delete(Arena *a, const char *folder, const char *const *names, int n);
#endif
