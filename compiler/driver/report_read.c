// The sections of a report. In: run.json, metrics.jsonl and program.reg of a run's folder, which SQLite's
// functions of JSON take apart. Out: what the run was, a section for each training (what was minimized, its
// terms, the validation, schedules), evaluation and sweep, what was reported, and the program.
#include "reg/file.h"
#include "report.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *report_text_at(const Reading *r, sqlite3_stmt *s, int i) {
  const char *text = (const char *)sqlite3_column_text(s, i);
  if (sqlite3_column_type(s, i) == SQLITE_FLOAT)
    return arena_printf(r->a, "%.7g", sqlite3_column_double(s, i));
  return text ? arena_strdup(r->a, text) : "";
}

double report_number_at(sqlite3_stmt *s, int i) {
  return sqlite3_column_type(s, i) == SQLITE_NULL ? NAN : sqlite3_column_double(s, i);
}

Section *report_section(Arena *a, Report *to, const char *title) {
  Section *s = ARENA_NEW(a, Section);
  s->title = title;
  vec_push(a, *to, s);
  return s;
}

static Section *section(const Reading *r, const char *title) { return report_section(r->a, r->out, title); }

// The rows of a query as a table.
static void table(const Reading *r, Section *to, const char *sql, const char *const *texts, int n) {
  sqlite3_stmt *s = runs_query(r->db, sql, texts, n);
  to->columns = s ? sqlite3_column_count(s) : 0;
  for (int i = 0; i < to->columns; i++)
    vec_push(r->a, to->cells, arena_strdup(r->a, sqlite3_column_name(s, i)));
  while (s && sqlite3_step(s) == SQLITE_ROW)
    for (int i = 0; i < to->columns; i++) vec_push(r->a, to->cells, report_text_at(r, s, i));
  sqlite3_finalize(s);
}

Series *report_series(Arena *a, Section *to, const char *name, bool dots) {
  for (int i = 0; i < to->series.len; i++)
    if (!strcmp(to->series.data[i]->name, name)) return to->series.data[i];
  Series *s = ARENA_NEW(a, Series);
  s->name = arena_strdup(a, name);
  s->dots = dots;
  vec_push(a, to->series, s);
  return s;
}

static int by_number(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static bool same_places(const Section *s) {
  const Series *first = s->series.data[0];
  bool same = true;
  for (int k = 1; k < s->series.len && same; k++) {
    const Series *one = s->series.data[k];
    same = one->x.len == first->x.len &&
           !memcmp(one->x.data, first->x.data, (size_t)first->x.len * sizeof *first->x.data);
  }
  return same;
}

// Those of all series in their order.
static int places(Arena *a, const Section *s, double **out) {
  VEC(double) all = {0};
  int n = 0;
  for (int k = 0; k < s->series.len; k++)
    for (int i = 0; i < s->series.data[k]->x.len; i++) vec_push(a, all, s->series.data[k]->x.data[i]);
  qsort(all.data, (size_t)all.len, sizeof *all.data, by_number);
  for (int i = 0; i < all.len; i++)
    if (!n || all.data[i] != all.data[n - 1]) all.data[n++] = all.data[i];
  *out = all.data;
  return n;
}

static void put_cell(Arena *a, Section *to, const Series *s, int i) {
  const bool there = i < s->y.len && !isnan(s->y.data[i]);
  vec_push(a, to->cells, there ? arena_printf(a, "%.6g", s->y.data[i]) : "");
}

void report_numbers(Arena *a, Section *to) {
  const bool same = same_places(to);
  double *x = to->series.data[0]->x.data;
  const int n = same ? to->series.data[0]->x.len : places(a, to, &x);
  int *next = ARENA_ARRAY(a, int, to->series.len);
  to->columns = to->series.len + 1;
  vec_push(a, to->cells, to->x);
  for (int k = 0; k < to->series.len; k++) vec_push(a, to->cells, to->series.data[k]->name);
  for (int i = 0; i < n; i++) {
    vec_push(a, to->cells, arena_printf(a, "%.7g", x[i]));
    for (int k = 0; k < to->series.len; k++) {
      const Series *s = to->series.data[k];
      const bool there = same || (next[k] < s->x.len && s->x.data[next[k]] == x[i]);
      put_cell(a, to, s, there ? next[k]++ : s->y.len);
    }
  }
}

// -- trainings

// By the logarithm where all are above 0 and far from each other.
bool report_is_far(const Section *s) {
  double low = INFINITY, high = 0;
  for (int i = 0; i < s->series.len; i++)
    for (int k = 0; k < s->series.data[i]->y.len; k++)
      if (!isnan(s->series.data[i]->y.data[k]))
        low = fmin(low, s->series.data[i]->y.data[k]), high = fmax(high, s->series.data[i]->y.data[k]);
  return low > 0 && isfinite(high) && high > 1000 * low;
}

// A query of epoch, name and value, for the training ?1, ?2 its act.
static void curves(const Reading *r, const char *title, const char *sql, const char *const *training) {
  Section *to = ARENA_NEW(r->a, Section);
  sqlite3_stmt *s = runs_query(r->db, sql, training, 2);
  *to = (Section){.title = title, .plot = PLOT_LINES, .x = "epoch"};
  while (s && sqlite3_step(s) == SQLITE_ROW) {
    Series *one = report_series(r->a, to, report_text_at(r, s, 1), false);
    vec_push(r->a, one->x, report_number_at(s, 0));
    vec_push(r->a, one->y, report_number_at(s, 2));
  }
  sqlite3_finalize(s);
  if (!to->series.len) return;
  to->log_y = report_is_far(to);
  if (to->series.data[0]->x.len < 2) to->plot = PLOT_NONE; // a number is no curve
  report_numbers(r->a, to);
  vec_push(r->a, *r->out, to);
}

#define EPOCHS                                                                                               \
  " FROM e WHERE kind = 'epoch' AND json_extract(line, '$.train') = ?1 AND"                                  \
  " coalesce(json_extract(line, '$.act'), 1) = CAST(?2 AS INTEGER)"
#define EPOCHS_OF(part)                                                                                      \
  "SELECT json_extract(line, '$.epoch'), v.key, v.value FROM e, json_each(e.line, '$." part "') v"           \
  " WHERE kind = 'epoch' AND json_extract(line, '$.train') = ?1 AND"                                         \
  " coalesce(json_extract(line, '$.act'), 1) = CAST(?2 AS INTEGER)"

static void training(const Reading *r, const Act *one) {
  const char *const *which = one->which, *name = one->name;
  static const char losses[] =
      "SELECT json_extract(line, '$.epoch') AS epoch, 'loss', json_extract(line, '$.loss')" EPOCHS
      " UNION ALL SELECT json_extract(line, '$.epoch'), 'objective', json_extract(line, '$.objective')" EPOCHS
      " UNION ALL SELECT json_extract(line, '$.epoch'), 'validation', json_extract(line, "
      "'$.valid.loss')" EPOCHS " AND json_type(line, '$.valid') = 'object' ORDER BY 1";
  curves(r, arena_printf(r->a, "Training %s: loss", name), losses, which);
  curves(r, arena_printf(r->a, "Training %s: terms", name), EPOCHS_OF("terms"), which);
  curves(r, arena_printf(r->a, "Training %s: norms of gradients", name), EPOCHS_OF("gradients"), which);
  curves(r, arena_printf(r->a, "Training %s: validation", name), EPOCHS_OF("valid") " AND v.key != 'loss'",
         which);
  curves(r, arena_printf(r->a, "Training %s: logs", name), EPOCHS_OF("logs"), which);
  curves(r, arena_printf(r->a, "Training %s: schedules", name), EPOCHS_OF("schedules"), which);
}

Acts report_acts(const Reading *r, const char *kind, const char *key) {
  const char *texts[] = {kind, arena_printf(r->a, "$.%s", key)};
  sqlite3_stmt *s =
      runs_query(r->db,
                 "SELECT json_extract(line, ?2), coalesce(json_extract(line, '$.act'), 1) FROM e"
                 " WHERE kind = ?1 GROUP BY 1, 2 ORDER BY min(i)",
                 texts, 2);
  Acts all = {0};
  while (s && sqlite3_step(s) == SQLITE_ROW) {
    Act one = {.which = {report_text_at(r, s, 0), report_text_at(r, s, 1)}};
    one.name =
        strcmp(one.which[1], "1") ? arena_printf(r->a, "%s #%s", one.which[0], one.which[1]) : one.which[0];
    vec_push(r->a, all, one);
  }
  sqlite3_finalize(s);
  return all;
}

static void trainings(const Reading *r) {
  const Acts all = report_acts(r, "epoch", "train");
  for (int i = 0; i < all.len; i++) training(r, &all.data[i]);
}

// -- evaluations and reports

static void evaluations(const Reading *r) {
  Section *to = ARENA_NEW(r->a, Section);
  to->title = "Evaluations";
  table(r, to,
        "SELECT json_extract(line, '$.model') AS model, json_extract(line, '$.data') AS data,"
        " coalesce(json_extract(line, '$.act'), 1) AS act, v.key AS metric, v.value AS value"
        " FROM e, json_each(e.line, '$.metrics') v WHERE kind = 'evaluate' AND"
        " NOT (v.type = 'array' AND json_type(v.value, '$[0]') = 'array') ORDER BY i, v.id",
        NULL, 0);
  if (to->cells.len > to->columns) vec_push(r->a, *r->out, to);
}

// Metrics with rows and columns: square ones as what was taken for what, others as they are.
static void matrices(const Reading *r) {
  sqlite3_stmt *s =
      runs_query(r->db,
                 "SELECT json_extract(line, '$.model') || ' on ' || json_extract(line, '$.data') ||"
                 " coalesce(' #' || json_extract(line, '$.act'), '') || ': ' || v.key, v.value,"
                 " json_array_length(v.value), json_array_length(v.value, '$[0]') FROM e, json_each(e.line, "
                 "'$.metrics') v"
                 " WHERE kind = 'evaluate' AND v.type = 'array' AND json_type(v.value, '$[0]') = 'array' AND"
                 " json_type(v.value, '$[0][0]') != 'array' ORDER BY i, v.id",
                 NULL, 0);
  while (s && sqlite3_step(s) == SQLITE_ROW) {
    const int rows = sqlite3_column_int(s, 2), columns = sqlite3_column_int(s, 3);
    const char *all = report_text_at(r, s, 1);
    Section *to = section(r, report_text_at(r, s, 0));
    to->columns = columns + 1;
    if (rows == columns) to->plot = PLOT_MATRIX, to->x = "column", to->y = "row";
    vec_push(r->a, to->cells, "row");
    for (int k = 0; k < columns; k++) vec_push(r->a, to->cells, arena_printf(r->a, "%d", k));
    sqlite3_stmt *cells = runs_query(
        r->db, "SELECT v.value FROM json_each(?1) o, json_each(o.value) v ORDER BY o.key, v.key", &all, 1);
    for (int i = 0; cells && sqlite3_step(cells) == SQLITE_ROW; i++) {
      if (i % columns == 0) vec_push(r->a, to->cells, arena_printf(r->a, "%d", i / columns));
      vec_push(r->a, to->cells, report_text_at(r, cells, 0));
    }
    sqlite3_finalize(cells);
  }
  sqlite3_finalize(s);
}

static void reports(const Reading *r) {
  Section *to = ARENA_NEW(r->a, Section);
  to->title = "Reports";
  table(
      r, to,
      "SELECT json_extract(line, '$.name') AS name, CASE WHEN length(v) > 300 THEN substr(v, 1, 300) || ' …' "
      "ELSE v END AS value FROM"
      " (SELECT i, line, coalesce(json_extract(line, '$.value'), json_extract(line, '$.values')) AS v FROM e"
      "  WHERE kind = 'report' AND json_type(line, '$.rows') IS NULL AND json_type(line, '$.over') IS NULL) "
      "ORDER BY i",
      NULL, 0);
  if (to->cells.len > to->columns) vec_push(r->a, *r->out, to);
}

// `report best(…)`, `report compare(…)`: a table each.
static void views(const Reading *r) {
  sqlite3_stmt *s = runs_query(
      r->db,
      "SELECT json_extract(line, '$.name'), json_extract(line, '$.rows'), json_extract(line, '$.chosen')"
      " FROM e WHERE kind = 'report' AND json_type(line, '$.rows') = 'array' ORDER BY i",
      NULL, 0);
  while (s && sqlite3_step(s) == SQLITE_ROW) {
    Section *to = section(r, report_text_at(r, s, 0));
    const char *rows = report_text_at(r, s, 1);
    const bool best = sqlite3_column_type(s, 2) != SQLITE_NULL;
    const int chosen = sqlite3_column_int(s, 2);
    sqlite3_stmt *cells = runs_query(
        r->db, "SELECT o.key, v.key, v.value FROM json_each(?1) o, json_each(o.value) v ORDER BY o.key, v.id",
        &rows, 1);
    VEC(const char *) body = {0};
    int row = -1;
    while (cells && sqlite3_step(cells) == SQLITE_ROW) {
      const bool begins = sqlite3_column_int(cells, 0) != row;
      if (begins && row >= 0 && best) vec_push(r->a, body, row == chosen ? "best" : "");
      row = sqlite3_column_int(cells, 0);
      if (row == 0) vec_push(r->a, to->cells, report_text_at(r, cells, 1));
      vec_push(r->a, body, report_text_at(r, cells, 2));
    }
    if (best && row >= 0) vec_push(r->a, body, row == chosen ? "best" : ""), vec_push(r->a, to->cells, "");
    sqlite3_finalize(cells);
    to->columns = to->cells.len;
    for (int i = 0; i < body.len; i++) vec_push(r->a, to->cells, body.data[i]);
  }
  sqlite3_finalize(s);
}

// `report plot(…)`: a line for each element.
static void paths(const Reading *r) {
  enum { MOST_LINES = 200 };
  sqlite3_stmt *s = runs_query(
      r->db,
      "SELECT e.i, json_extract(line, '$.name'), json_extract(line, '$.over'), x.value, p.key,"
      " json_extract(p.value, '$[' || x.key || ']') FROM e, json_each(e.line, '$.paths') p,"
      " json_each(e.line, '$.x') x WHERE kind = 'report' AND json_type(line, '$.over') = 'text' ORDER BY e.i,"
      " p.id, x.value",
      NULL, 0);
  Section *to = NULL;
  int64_t last = -1;
  const int before = r->out->len;
  while (s && sqlite3_step(s) == SQLITE_ROW) {
    if (sqlite3_column_int64(s, 0) != last) to = section(r, report_text_at(r, s, 1));
    last = sqlite3_column_int64(s, 0);
    to->plot = PLOT_LINES;
    to->x = report_text_at(r, s, 2);
    if (to->series.len == MOST_LINES) to->note = "the first 200 lines";
    if (to->series.len == MOST_LINES &&
        strcmp(to->series.data[MOST_LINES - 1]->name, report_text_at(r, s, 4)) != 0)
      continue;
    Series *line = report_series(r->a, to, report_text_at(r, s, 4), false);
    vec_push(r->a, line->x, report_number_at(s, 3));
    vec_push(r->a, line->y, report_number_at(s, 5));
  }
  sqlite3_finalize(s);
  for (int i = before; i < r->out->len; i++) {
    const Series *first = r->out->data[i]->series.data[0];
    const int n = first->x.len;
    r->out->data[i]->log_x = n > 2 && first->x.data[0] > 0 && first->x.data[n - 1] > 100 * first->x.data[0];
    report_numbers(r->a, r->out->data[i]);
  }
}

// -- the run

static void about(const Reading *r, const char *json) {
  Section *to = section(r, "Run");
  table(r, to,
        "SELECT key AS what, value AS is_ FROM (SELECT 0 AS o, id, key, value FROM json_each(?1) WHERE type "
        "NOT IN ('array', 'object')"
        " UNION ALL SELECT 1, id, 'seed of ' || key, value FROM json_each(?1, '$.seeds')"
        " UNION ALL SELECT 2, id, 'set ' || key, value FROM json_each(?1, '$.set')"
        " UNION ALL SELECT 3, id, 'data ' || json_extract(value, '$.name'), json_extract(value, '$.rows') || "
        "' rows, checksum ' ||"
        "  json_extract(value, '$.checksum') FROM json_each(?1, '$.data')"
        " UNION ALL SELECT 4, i, 'error', json_extract(line, '$.text') FROM e WHERE kind = 'error') ORDER BY "
        "o, id",
        &json, 1);
  if (to->cells.len >= 2) to->cells.data[0] = to->cells.data[1] = "";
}

static bool take_events(const Reading *r, const char *lines) {
  const char *array = runs_events(r->a, lines);
  sqlite3_stmt *s =
      runs_query(r->db,
                 "CREATE TABLE e AS SELECT key AS i, json_extract(value, '$.event') AS kind, value AS line"
                 " FROM json_each(?1)",
                 &array, 1);
  const bool ok = s && sqlite3_step(s) == SQLITE_DONE;
  sqlite3_finalize(s);
  return ok;
}

bool report_read(Arena *a, const char *folder, Report *out, int *code) {
  reg_status st = {0};
  size_t size;
  Reading r = {.a = a, .out = out};
  char *json = reg_file_read(arena_printf(a, "%s/run.json", folder), &size, "run_missing", &st),
       *lines = json ? reg_file_read(arena_printf(a, "%s/metrics.jsonl", folder), &size, "run_missing", &st)
                     : NULL,
       *source =
           lines ? reg_file_read(arena_printf(a, "%s/program.reg", folder), &size, "run_missing", &st) : NULL;
  *code = st.code;
  bool ok = source != NULL;
  if (!ok) fprintf(stderr, "regc: `%s` is no folder of a run: %s\n", folder, st.text);
  ok = ok && sqlite3_open(":memory:", &r.db) == SQLITE_OK;
  if (ok && !take_events(&r, lines)) {
    fprintf(stderr, "regc: the events of `%s` cannot be read: %s\n", folder, sqlite3_errmsg(r.db));
    *code = REG_BAD_DATA;
    ok = false;
  }
  if (ok) {
    about(&r, json);
    trainings(&r);
    evaluations(&r);
    matrices(&r);
    report_predictions(a, folder, out);
    report_sweeps(&r);
    views(&r);
    paths(&r);
    reports(&r);
    report_weights(a, folder, out);
    section(&r, "Program")->code = arena_strdup(a, source);
  }
  sqlite3_close(r.db);
  free(json);
  free(lines);
  free(source);
  return ok;
}
