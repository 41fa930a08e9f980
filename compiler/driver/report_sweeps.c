// What a report tells of sweeps. In: the events of a run. Out: of each sweep its numbers by each axis, what
// the trainings of its runs did epoch by epoch, and the table of its runs.
#include "report.h"
#include <stdlib.h>
#include <string.h>

typedef struct Sweep {
  const Reading *r;
  const char *const *which, *name; // of an Act
} Sweep;

// Of events of runs: those of sweep ?1 in its act ?2.
#define RUNS                                                                                                 \
  "kind = 'run' AND json_extract(line, '$.sweep') = ?1 AND"                                                  \
  " coalesce(json_extract(line, '$.act'), 1) = CAST(?2 AS INTEGER)"
#define SHOWN "CASE x.type WHEN 'real' THEN printf('%.9g', x.value) ELSE x.value END"

static sqlite3_stmt *ask(const Sweep *w, const char *sql) { return runs_query(w->r->db, sql, w->which, 2); }

static void act(const Sweep *w, const char *sql) {
  sqlite3_stmt *s = ask(w, sql);
  if (s) sqlite3_step(s);
  sqlite3_finalize(s);
}

// -- the table of runs

static int column_of(const Section *to, int from, const char *name) {
  for (int i = from; i < to->columns; i++)
    if (!strcmp(to->cells.data[i], name)) return i;
  return -1;
}

// Heads of what all runs have under a key of their event.
static void heads(const Sweep *w, Section *to, const char *sql) {
  sqlite3_stmt *s = ask(w, sql);
  while (s && sqlite3_step(s) == SQLITE_ROW) {
    vec_push(w->r->a, to->cells, report_text_at(w->r, s, 0));
    to->columns++;
  }
  sqlite3_finalize(s);
}

// The cells of a key in the rows of the runs, whose first are at `rows`.
static void cells(const Sweep *w, Section *to, int from, const char *sql) {
  sqlite3_stmt *s = ask(w, sql);
  int row = 0;
  const char *last = "";
  while (s && sqlite3_step(s) == SQLITE_ROW) {
    const char *run = report_text_at(w->r, s, 0);
    while (strcmp(last, run) != 0) last = to->cells.data[++row * to->columns];
    const int column = column_of(to, from, report_text_at(w->r, s, 1));
    if (column >= 0) to->cells.data[row * to->columns + column] = report_text_at(w->r, s, 2);
  }
  sqlite3_finalize(s);
}

static void runs(const Sweep *w) {
  const Reading *r = w->r;
  Section *to = report_section(r->a, r->out, arena_printf(r->a, "Sweep %s: runs", w->name));
  vec_push(r->a, to->cells, "run");
  to->columns = 1;
  heads(w, to,
        "SELECT x.key FROM e, json_each(e.line, '$.axes') x WHERE " RUNS " GROUP BY 1 ORDER BY min(x.id)");
  const int axes = to->columns;
  heads(w, to,
        "SELECT x.key FROM e, json_each(e.line, '$.values') x WHERE " RUNS " GROUP BY 1 ORDER BY min(x.id)");
  vec_push(r->a, to->cells, "outcome");
  to->columns++;
  sqlite3_stmt *s =
      ask(w, "SELECT json_extract(line, '$.run'), json_extract(line, '$.outcome') ||"
             " CASE WHEN json_type(line, '$.share') IS NULL THEN '' ELSE printf(' after %.3g of its epochs', "
             "json_extract(line, '$.share')) END ||"
             " coalesce(': ' || json_extract(line, '$.reason'), '') FROM e WHERE " RUNS " ORDER BY 1");
  while (s && sqlite3_step(s) == SQLITE_ROW) {
    vec_push(r->a, to->cells, report_text_at(r, s, 0));
    for (int i = 2; i < to->columns; i++) vec_push(r->a, to->cells, "");
    vec_push(r->a, to->cells, report_text_at(r, s, 1));
  }
  sqlite3_finalize(s);
  cells(w, to, 1,
        "SELECT json_extract(line, '$.run'), x.key, " SHOWN
        " FROM e, json_each(e.line, '$.axes') x WHERE " RUNS " ORDER BY 1");
  cells(
      w, to, axes,
      "SELECT json_extract(line, '$.run'), x.key, CASE WHEN x.type IN ('real', 'integer') THEN printf('%.6g',"
      " x.value) ELSE x.value END FROM e, json_each(e.line, '$.values') x WHERE " RUNS " ORDER BY 1");
}

// -- numbers by an axis

// Each number of the runs over each axis of numbers but the seed: points, and their mean as a line.
static void by_axes(const Sweep *w) {
  const Reading *r = w->r;
  sqlite3_stmt *s = ask(w, "SELECT x.key, v.key, x.value, v.value FROM e, json_each(e.line, '$.axes') x,"
                           " json_each(e.line, '$.values') v WHERE " RUNS " AND x.type IN"
                           " ('real', 'integer') AND x.key != 'seed'"
                           " AND v.type IN ('real', 'integer') AND v.key NOT LIKE '%.epochs' ORDER BY 1,"
                           " 2, 3, json_extract(line, '$.run')");
  Section *to = NULL;
  const char *last = "";
  int same = 0;
  while (s && sqlite3_step(s) == SQLITE_ROW) {
    const char *title =
        arena_printf(r->a, "Sweep %s: %s by %s", w->name, report_text_at(r, s, 1), report_text_at(r, s, 0));
    if (strcmp(title, last) != 0) {
      to = report_section(r->a, r->out, last = title);
      to->plot = PLOT_LINES;
      to->x = report_text_at(r, s, 0);
      to->log_x = true;
    }
    Series *mean = report_series(r->a, to, "mean", false), *each = report_series(r->a, to, "runs", true);
    const double x = report_number_at(s, 2), y = report_number_at(s, 3);
    to->log_x = to->log_x && x > 0;
    vec_push(r->a, each->x, x);
    vec_push(r->a, each->y, y);
    if (mean->x.len && mean->x.data[mean->x.len - 1] == x) {
      mean->y.data[mean->y.len - 1] += (y - mean->y.data[mean->y.len - 1]) / ++same;
    } else {
      vec_push(r->a, mean->x, x);
      vec_push(r->a, mean->y, y);
      same = 1;
    }
  }
  sqlite3_finalize(s);
}

static bool wide(const Section *s) { // its numbers span more than two powers of ten
  const Series *mean = s->series.data[0];
  return mean->x.len > 2 && mean->x.data[mean->x.len - 1] > 100 * mean->x.data[0];
}

static void numbers(const Sweep *w) {
  const int before = w->r->out->len;
  by_axes(w);
  for (int k = before; k < w->r->out->len; k++) {
    Section *plot = w->r->out->data[k];
    plot->log_x = plot->log_x && wide(plot);
    const Section whole = *plot;
    plot->series.len = 1; // the mean alone is a table of its own; the runs have theirs
    report_numbers(w->r->a, plot);
    plot->series = whole.series;
  }
}

// -- curves of the runs

#define MOST_LINES "24"
#define LABEL      "CASE x.type WHEN 'real' THEN printf('%.7g', x.value) ELSE x.value END"
enum { MOST_TRAININGS = 4 };

#define VARIES "x.key != 'seed' AND x.key NOT IN (SELECT value FROM json_each(e.line, '$.repeats'))"
// Runs that differ in the seed or the fold alone are one line, their mean; of many lines some, evenly over
// all.
static const char lines_of[] =
    "CREATE TABLE lines AS WITH own AS (SELECT i, json_extract(line, '$.run') AS run, coalesce("
    "(SELECT group_concat(x.key || ' ' || " LABEL ", ', ') FROM json_each(e.line, '$.axes') x WHERE " VARIES
    "),"
    " (SELECT group_concat(x.key || ' ' || " LABEL ", ', ') FROM json_each(e.line, '$.axes') x)) AS label"
    " FROM e WHERE " RUNS " AND json_type(line, '$.curves') = 'array'),"
    " n AS (SELECT label, row_number() OVER (ORDER BY min(run)) - 1 AS place, count(*) OVER () AS many,"
    " max(count(*)) OVER () AS runs FROM own GROUP BY label)"
    " SELECT label, place, many, runs, e.i AS i, c.id AS at, json_extract(c.value, '$.train') AS train,"
    " coalesce(json_extract(c.value, '$.act'), 1) AS act, c.value AS curve"
    " FROM own JOIN n USING (label) JOIN e ON e.i = own.i, json_each(e.line, '$.curves') c"
    " WHERE place = 0 OR place * " MOST_LINES " / max(many, " MOST_LINES ") !="
    " (place - 1) * " MOST_LINES " / max(many, " MOST_LINES ")";

// Of training ?1 in its act ?2.
#define POINTS(epochs, values)                                                                               \
  ", label, json_extract(curve, '$." epochs "[' || v.key || ']'), avg(v.value) FROM lines, " values          \
  " WHERE train = ?1 AND act = CAST(?2 AS INTEGER) GROUP BY 1, place, 3 ORDER BY 1, place, 3"
#define GROUP_OF(key, epochs)                                                                                \
  "SELECT q.key" POINTS(epochs, "json_each(curve, '$." key "') q, json_each(q.value) v")

static bool has_curve(const Section *s) { // a number is none
  bool any = false;
  for (int i = 0; i < s->series.len && !any; i++) any = s->series.data[i]->x.len > 1;
  return any;
}

// A row for each line.
static void last_numbers(Arena *a, Section *to) {
  to->plot = PLOT_NONE;
  to->columns = 2;
  vec_push(a, to->cells, "runs");
  vec_push(a, to->cells, "value");
  for (int i = 0; i < to->series.len; i++) {
    const Series *one = to->series.data[i];
    vec_push(a, to->cells, one->name);
    vec_push(a, to->cells, arena_printf(a, "%.6g", one->y.data[one->y.len - 1]));
  }
}

static void curves(const Sweep *w, const char *const *training, const char *what, const char *note,
                   const char *sql) {
  const Reading *r = w->r;
  sqlite3_stmt *s = runs_query(r->db, sql, training, 2);
  const int before = r->out->len;
  const bool again = strcmp(training[1], "1") != 0;
  const char *last = NULL, *of = again ? arena_printf(r->a, "%s #%s", training[0], training[1]) : training[0];
  Section *to = NULL;
  while (s && sqlite3_step(s) == SQLITE_ROW) {
    const char *key = report_text_at(r, s, 0);
    if (!last || strcmp(last, key) != 0) {
      to = report_section(r->a, r->out, arena_printf(r->a, "Sweep %s: %s%s in %s", w->name, what, key, of));
      to->plot = PLOT_LINES;
      to->x = "epoch";
      to->note = note;
      last = key;
    }
    Series *one = report_series(r->a, to, report_text_at(r, s, 1), false);
    vec_push(r->a, one->x, report_number_at(s, 2));
    vec_push(r->a, one->y, report_number_at(s, 3));
  }
  sqlite3_finalize(s);
  for (int i = before; i < r->out->len; i++) {
    Section *one = r->out->data[i];
    one->log_y = report_is_far(one);
    if (has_curve(one))
      report_numbers(r->a, one);
    else
      last_numbers(r->a, one);
  }
}

// What was left out of the lines, and what each is.
static const char *note_of(const Sweep *w) {
  const Reading *r = w->r;
  sqlite3_stmt *s = runs_query(
      r->db,
      "SELECT many, runs, (SELECT group_concat(iif(x.key = 'seed', 'seeds', x.key), ' and ') FROM"
      " json_each(e.line, '$.axes') x WHERE NOT (" VARIES ")) FROM lines JOIN e ON e.i = lines.i LIMIT 1",
      NULL, 0);
  const char *note = NULL;
  if (s && sqlite3_step(s) == SQLITE_ROW) {
    const int many = sqlite3_column_int(s, 0), of = sqlite3_column_int(s, 1),
              most = (int)strtol(MOST_LINES, NULL, 10);
    const char *told = report_text_at(r, s, 2), *over = *told ? told : "runs with the same values";
    note = many > most && of > 1
               ? arena_printf(r->a, "%d of %d lines, each the mean over %s", most, many, over)
           : many > most ? arena_printf(r->a, "%d of %d lines", most, many)
           : of > 1      ? arena_printf(r->a, "each line is the mean over %s", over)
                         : NULL;
  }
  sqlite3_finalize(s);
  return note;
}

static void trainings(const Sweep *w) {
  const Reading *r = w->r;
  VEC(const char *) all = {0};
  act(w, lines_of);
  sqlite3_stmt *s =
      runs_query(r->db, "SELECT train, act FROM lines GROUP BY 1, 2 ORDER BY min(at), 2", NULL, 0);
  while (s && sqlite3_step(s) == SQLITE_ROW)
    for (int i = 0; i < 2; i++) vec_push(r->a, all, report_text_at(r, s, i));
  sqlite3_finalize(s);
  const char *note = note_of(w);
  for (int i = 0; i < all.len && i < 2 * MOST_TRAININGS; i += 2) {
    const char *const *which = &all.data[i];
    curves(w, which, "", note, "SELECT 'loss'" POINTS("epoch", "json_each(curve, '$.loss') v"));
    curves(w, which, "validation ", note, GROUP_OF("valid", "epoch"));
    curves(w, which, "", note, GROUP_OF("terms", "epoch"));
    curves(w, which, "gradient norm of ", note, GROUP_OF("gradients", "measured"));
    curves(w, which, "", note, GROUP_OF("logs", "epoch"));
  }
  if (all.len > 2 * MOST_TRAININGS && r->out->len)
    report_section(r->a, r->out, arena_printf(r->a, "Sweep %s: more trainings", w->name))->note =
        arena_printf(r->a, "a run has %d; the events have what others than the first %d did", all.len / 2,
                     MOST_TRAININGS);
  act(w, "DROP TABLE lines");
}

void report_sweeps(const Reading *r) {
  const Acts all = report_acts(r, "run", "sweep");
  for (int i = 0; i < all.len; i++) {
    const Sweep w = {r, all.data[i].which, all.data[i].name};
    numbers(&w);
    trainings(&w);
    runs(&w);
  }
}
