// regc runs: what the runs of a folder were, and what came out of them.
#include "reg/file.h"
#include "runs_store.h"
#include "text/text.h"
#include <stdlib.h>
#include <string.h>

enum { ON_AXIS = -2 }; // as a measure, in the store

typedef struct Runs {
  Arena *a;
  const Options *o;
  const char *folder;
  sqlite3 *db;
  bool of_sweeps; // runs of sweeps are asked for: a condition on `sweep` or `of` says so
} Runs;

static const char *column(sqlite3_stmt *s, int i) {
  const char *text = (const char *)sqlite3_column_text(s, i);
  return text ? text : "";
}

static const char *told(Arena *a, sqlite3_stmt *s, int i) {
  Text number = {0};
  if (sqlite3_column_type(s, i) != SQLITE_FLOAT) return arena_strdup(a, column(s, i));
  reg_text_exact(&number, sqlite3_column_double(s, i));
  const char *out = arena_strdup(a, number.failed ? "" : number.data);
  reg_text_free(&number);
  return out;
}

// Numbers to seven digits, as people read them; others as they are.
static const char *shown(Arena *a, sqlite3_stmt *s, int i) {
  if (sqlite3_column_type(s, i) == SQLITE_FLOAT) return arena_printf(a, "%.7g", sqlite3_column_double(s, i));
  return arena_strdup(a, column(s, i));
}

// -- conditions: `outcome=finished`, `accuracy > 0.9`, `program~digits`

typedef struct Condition {
  const char *name, *sign, *value;
} Condition;
typedef VEC(Condition) Conditions;
typedef VEC(const char *) Names;

static const char *trimmed(Arena *a, const char *from, const char *end) {
  while (from < end && *from == ' ') from++;
  while (end > from && end[-1] == ' ') end--;
  return arena_strndup(a, from, (size_t)(end - from));
}

static bool condition_of(Arena *a, const char *text, Condition *out) {
  static const char *const signs[] = {"!=", "<=", ">=", "=", "<", ">", "~"};
  const char *at = text + strcspn(text, "!=<>~");
  for (int i = 0; i < 7 && *at; i++)
    if (!strncmp(at, signs[i], strlen(signs[i]))) {
      const char *value = at + strlen(signs[i]);
      *out = (Condition){trimmed(a, text, at), signs[i], trimmed(a, value, value + strlen(value))};
      return *out->name;
    }
  return false;
}

static const char *asked(const Runs *r) { return r->of_sweeps ? "parent IS NOT NULL" : "parent IS NULL"; }

// The field of a run that is called ?N, or, where none is, whose last words are: `accuracy`; an evaluation's
// before a training's.
#define ENDS(field, n) "substr(" field ", -1 - length(?" n ")) = '.' || ?" n
#define FIELD(run, n)                                                                                        \
  "coalesce((SELECT name FROM every g WHERE g.run = " run " AND g.name = ?" n ")"                            \
  ", (SELECT name FROM every g WHERE g.run = " run " AND " ENDS("g.name", n) " ORDER BY measured LIMIT 1))"

// A number that is not whole equals what people see of it, six digits.
#define EQUAL "(f.value = ?3 OR (f.value != round(f.value) AND abs(f.value - ?3) <= 5e-6 * abs(?3)))"

// As numbers where the field is one and so is what it is compared with; else as texts.
static void add_condition(StrBuf *sql, const char *sign) {
  const bool equal = !strcmp(sign, "="), other = !strcmp(sign, "!=");
  const char *numbers = equal   ? EQUAL
                        : other ? "NOT " EQUAL
                                : arena_printf(sql->arena, "f.value %s ?3", sign);
  strbuf_add(sql, " AND EXISTS (SELECT 1 FROM every f WHERE f.run = runs.name AND f.name = " FIELD(
                      "runs.name", "1") " AND ");
  if (!strcmp(sign, "~"))
    strbuf_add(sql, "instr(f.value, ?2))");
  else
    strbuf_addf(sql,
                "CASE WHEN typeof(f.value) = 'text' OR ?3 IS NULL THEN CAST(f.value AS TEXT) %s ?2"
                " ELSE %s END)",
                sign, numbers);
}

static Names names_of(const Runs *r, sqlite3_stmt *s) {
  Names out = {0};
  while (s && sqlite3_step(s) == SQLITE_ROW) vec_push(r->a, out, arena_strdup(r->a, column(s, 0)));
  sqlite3_finalize(s);
  return out;
}

static Names holding(const Runs *r, const Condition *c) {
  StrBuf sql = {.arena = r->a};
  strbuf_addf(&sql, "SELECT name FROM runs WHERE %s", asked(r));
  if (c) add_condition(&sql, c->sign);
  strbuf_add(&sql, " ORDER BY stamp, name");
  const char *texts[] = {c ? c->name : "", c ? c->value : ""};
  sqlite3_stmt *s = runs_query(r->db, sql.data, texts, c ? 2 : 0);
  char *end;
  const double number = c ? strtod(c->value, &end) : 0;
  if (s && c && *c->value && !*end) sqlite3_bind_double(s, 3, number);
  return names_of(r, s);
}

static bool among(const Names *names, const char *name) {
  for (int i = 0; i < names->len; i++)
    if (!strcmp(names->data[i], name)) return true;
  return false;
}

// Runs for which all conditions hold, the first one to end first.
static Names chosen(const Runs *r, const Conditions *conditions) {
  Names all = holding(r, NULL), out = {0};
  int *held = ARENA_ARRAY(r->a, int, all.len + 1);
  for (int i = 0; i < conditions->len; i++) {
    const Names own = holding(r, &conditions->data[i]); // in the order of all
    for (int k = 0, n = 0; k < all.len && n < own.len; k++)
      if (!strcmp(all.data[k], own.data[n])) held[k]++, n++;
  }
  for (int k = 0; k < all.len; k++)
    if (held[k] == conditions->len) vec_push(r->a, out, all.data[k]);
  return out;
}

// What a condition asks of names one field of a run, and some run has it.
static bool is_clear(const Runs *r, const char *name) {
  const char *among = arena_printf(r->a, " run IN (SELECT name FROM runs WHERE %s)", asked(r)),
             *exact = arena_printf(r->a, "SELECT run FROM every WHERE name = ?1 AND%s LIMIT 1", among);
  sqlite3_stmt *s = runs_query(
      r->db,
      arena_printf(r->a,
                   "SELECT run, min(name), max(name), count(*) FROM every e WHERE " ENDS(
                       "name", "1") " AND run NOT IN (SELECT run FROM every WHERE name = ?1) AND measured = "
                                    "(SELECT min(measured)"
                                    " FROM every g WHERE g.run = e.run AND " ENDS(
                                        "g.name", "1") ") AND%s GROUP BY run ORDER BY count(*) DESC",
                   among),
      &name, 1);
  const bool there = s && sqlite3_step(s) == SQLITE_ROW, clear = !there || sqlite3_column_int(s, 3) == 1;
  if (!clear)
    usage_error("`%s` of the run `%s` could be `%s` or `%s`", name, column(s, 0), column(s, 1), column(s, 2));
  sqlite3_finalize(s);
  if (there || names_of(r, runs_query(r->db, exact, &name, 1)).len) return clear;
  const Names others =
      names_of(r, runs_query(r->db, "SELECT run FROM every WHERE name = ?1 LIMIT 1", &name, 1));
  if (others.len && !r->of_sweeps) {
    reg_shown_line(stderr, "regc: no run has `%s`; runs of a sweep have: ask with `sweep=NAME` too", name);
    return true;
  }
  const char *known = arena_printf(r->a, "SELECT DISTINCT name FROM every WHERE%s", among);
  const Names all = names_of(r, runs_query(r->db, known, NULL, 0));
  const char *near = nearest_name(name, all.data, all.len);
  reg_shown_line(stderr, near ? "regc: no run has `%s`; did you mean `%s`?" : "regc: no run has `%s`", name,
                 near);
  return true;
}

static bool is_run(const Runs *r, const char *name) {
  sqlite3_stmt *s = runs_query(r->db, "SELECT 1 FROM runs WHERE name = ?1", &name, 1);
  const bool is = s && sqlite3_step(s) == SQLITE_ROW;
  sqlite3_finalize(s);
  return is;
}

static bool asks_for_sweeps(const Runs *r) {
  bool asks = false;
  for (int i = 1; i < r->o->arguments.len; i++) {
    Condition c;
    asks |= condition_of(r->a, r->o->arguments.data[i], &c) &&
            (!strcmp(c.name, "sweep") || !strcmp(c.name, "of"));
  }
  return asks;
}

// What the arguments behind the command ask for: runs by name, and conditions. REG_OK, or how to end.
static int take_arguments(const Runs *r, Names *named, Conditions *out) {
  for (int i = 1; i < r->o->arguments.len; i++) {
    const char *text = r->o->arguments.data[i];
    Condition c;
    if (named && is_run(r, text)) {
      if (!among(named, text)) vec_push(r->a, *named, text);
    } else if (condition_of(r->a, text, &c)) {
      if (!is_clear(r, c.name)) return EXIT_USAGE;
      vec_push(r->a, *out, c);
    } else if (named) {
      fprintf(stderr, "regc: there is no run `%s` in `%s`\n", text, r->folder);
      return REG_MISSING_INPUT;
    } else {
      return usage_error("`%s` is no condition such as outcome=finished, 'accuracy > 0.9' or program~digits",
                         text);
    }
  }
  return REG_OK;
}

// -- values

typedef struct Field {
  const char *name, *value;
  int measured, place; // of the name among all
} Field;
typedef VEC(Field) Fields;

// All that is known of some runs.
typedef struct Known {
  Fields *of; // each run, by their names
  Fields all; // names of what the runs have, their own first, then what run.json says, then what was measured
} Known;

static int by_measure(const void *a, const void *b) {
  const Field *x = a, *y = b;
  return x->measured != y->measured ? (x->measured > y->measured) - (x->measured < y->measured)
                                    : strcmp(x->name, y->name);
}

// Each name once, with the least measure that it has. Fields of runs say where it stands.
static void sort_names(const Runs *r, Known *k, int nruns) {
  if (k->all.len) qsort(k->all.data, (size_t)k->all.len, sizeof *k->all.data, by_measure);
  int *places = ARENA_ARRAY(r->a, int, k->all.len + 1);
  for (int i = 0; i < k->all.len; i++) places[k->all.data[i].place] = i;
  for (int i = 0; i < nruns; i++)
    for (int n = 0; n < k->of[i].len; n++) k->of[i].data[n].place = places[k->of[i].data[n].place];
}

static Known known(const Runs *r, const Names *runs, bool exact) {
  Known k = {.of = ARENA_ARRAY(r->a, Fields, runs->len + 1)};
  Map places;
  map_init(&places, r->a);
  sqlite3_stmt *s = runs_query(r->db, "SELECT name, value, measured FROM every WHERE run = ?1", NULL, 0);
  for (int i = 0; s && i < runs->len; i++) {
    sqlite3_bind_text(s, 1, runs->data[i], -1, SQLITE_STATIC);
    while (sqlite3_step(s) == SQLITE_ROW) {
      Field f = {.measured = sqlite3_column_int(s, 2), .value = exact ? told(r->a, s, 1) : shown(r->a, s, 1)};
      const Field *met = map_get(&places, column(s, 0));
      if (!met) {
        Field *first = ARENA_NEW(r->a, Field);
        *first =
            (Field){.name = arena_strdup(r->a, column(s, 0)), .measured = f.measured, .place = k.all.len};
        map_put(&places, first->name, first);
        vec_push(r->a, k.all, *first);
        met = first;
      }
      Field *least = &k.all.data[met->place];
      least->measured = f.measured < least->measured ? f.measured : least->measured;
      f.name = met->name, f.place = met->place;
      vec_push(r->a, k.of[i], f);
    }
    sqlite3_reset(s);
  }
  sqlite3_finalize(s);
  sort_names(r, &k, runs->len);
  return k;
}

static bool ends_in(const char *name, const char *words) {
  const size_t n = strlen(name), own = strlen(words);
  return !strcmp(name, words) || (n > own && name[n - own - 1] == '.' && !strcmp(name + n - own, words));
}

// As FIELD finds it; "" where the run has none of this name.
static const char *value_of(const Fields *run, const char *name) {
  const Field *out = NULL;
  for (int i = 0; i < run->len; i++) {
    const Field *f = &run->data[i];
    if (!strcmp(f->name, name)) return f->value;
    if (ends_in(f->name, name) && (!out || f->measured < out->measured)) out = f;
  }
  return out ? out->value : "";
}

// A row for each run, a column for each name.
static const char **values(const Runs *r, const Known *k, int nruns) {
  const int columns = k->all.len;
  const char **cells = ARENA_ARRAY(r->a, const char *, (size_t)nruns *columns + 1);
  for (int i = 0; i < nruns * columns; i++) cells[i] = "";
  for (int i = 0; i < nruns; i++)
    for (int n = 0; n < k->of[i].len; n++)
      cells[i * columns + k->of[i].data[n].place] = k->of[i].data[n].value;
  return cells;
}

static void print_table(const Runs *r, int rows, int columns, const char *const *cells) {
  text_table(r->a, stdout,
             &(TextTable){.rows = rows, .columns = columns, .bold = r->o->out.color, .cells = cells});
}

static void print_json(const Runs *r, const Names *runs) {
  sqlite3_stmt *s =
      runs_query(r->db, "SELECT json_group_object(name, value) FROM every WHERE run = ?1", NULL, 0);
  for (int i = 0; s && i < runs->len; i++) {
    sqlite3_bind_text(s, 1, runs->data[i], -1, SQLITE_STATIC);
    if (sqlite3_step(s) == SQLITE_ROW) puts(column(s, 0));
    sqlite3_reset(s);
  }
  sqlite3_finalize(s);
}

// -- commands

static int list(const Runs *r) {
  static const char *const usual[] = {"name", "outcome", "finished", "program"};
  Conditions conditions = {0};
  Names heads = {0};
  if (take_arguments(r, NULL, &conditions)) return EXIT_USAGE;
  const Names runs = chosen(r, &conditions);
  if (r->o->given[OPT_JSON]) {
    print_json(r, &runs);
    return EXIT_OK;
  }
  const Known k = known(r, &runs, false);
  for (int i = 0; i < (r->of_sweeps ? 2 : 4); i++) vec_push(r->a, heads, usual[i]);
  for (int i = 0; r->of_sweeps && i < k.all.len; i++)
    if (k.all.data[i].measured == ON_AXIS && !among(&heads, k.all.data[i].name))
      vec_push(r->a, heads, k.all.data[i].name);
  for (int i = 0; i < conditions.len; i++)
    if (!among(&heads, conditions.data[i].name)) vec_push(r->a, heads, conditions.data[i].name);
  const int columns = heads.len;
  const char **cells = ARENA_ARRAY(r->a, const char *, ((size_t)runs.len + 1) * columns);
  for (int i = 0; i <= runs.len; i++)
    for (int n = 0; n < columns; n++)
      cells[i * columns + n] = i ? value_of(&k.of[i - 1], heads.data[n]) : heads.data[n];
  print_table(r, runs.len + 1, columns, cells);
  return EXIT_OK;
}

// Names at the side, runs beside each other; `differs`: only where they do.
static int beside(const Runs *r, const Names *runs, bool differs) {
  const Known known_all = known(r, runs, false);
  const Fields *fields = &known_all.all;
  const char **all = values(r, &known_all, runs->len);
  const int columns = runs->len + 1;
  const char **cells = ARENA_ARRAY(r->a, const char *, ((size_t)fields->len + 1) * columns);
  int rows = 0;
  for (int i = 0; i < fields->len; i++) {
    const char **row = &cells[rows * columns];
    bool same = true;
    row[0] = fields->data[i].name;
    for (int k = 0; k < runs->len; k++) {
      row[k + 1] = all[k * fields->len + i];
      same = same && !strcmp(row[k + 1], row[1]);
    }
    rows += !differs || !same;
  }
  print_table(r, rows, columns, cells);
  return EXIT_OK;
}

static int named(const Runs *r, int least, const char *command, int (*act)(const Runs *, const Names *)) {
  Names runs = {0};
  Conditions conditions = {0};
  const int code = take_arguments(r, &runs, &conditions);
  if (code) return code;
  const Names found = conditions.len ? chosen(r, &conditions) : (Names){0}, told_first = runs;
  for (int i = 0; i < found.len; i++)
    if (!among(&told_first, found.data[i])) vec_push(r->a, runs, found.data[i]);
  if (runs.len < least)
    return usage_error("`regc runs %s` takes %s", command,
                       least > 1 ? "two runs or more" : "a run or several");
  return act(r, &runs);
}

static int show(const Runs *r, const Names *runs) {
  if (r->o->given[OPT_JSON]) print_json(r, runs);
  for (int i = 0; i < runs->len && !r->o->given[OPT_JSON]; i++)
    beside(r, &(Names){.data = &runs->data[i], .len = 1}, false);
  return EXIT_OK;
}

static int compare(const Runs *r, const Names *runs) { return beside(r, runs, true); }

static bool is_argument(const Runs *r, const char *name) {
  for (int i = 1; i < r->o->arguments.len; i++)
    if (!strcmp(r->o->arguments.data[i], name)) return true;
  return false;
}

static bool is_of_sweep(const Runs *r, const char *run) {
  return names_of(r,
                  runs_query(r->db, "SELECT name FROM runs WHERE name = ?1 AND parent IS NOT NULL", &run, 1))
      .len;
}

// Runs that are named are meant; of those that a condition finds the user is shown which they are.
static int delete(const Runs *r, const Names *runs) {
  bool all_named = true;
  for (int i = 0; i < runs->len; i++)
    if (strchr(runs->data[i], ':') && is_of_sweep(r, runs->data[i]))
      return usage_error("`%s` is a run of a sweep: it goes with the run that the sweep is in",
                         runs->data[i]);
  for (int i = 0; i < runs->len; i++) all_named = all_named && is_argument(r, runs->data[i]);
  if (all_named || r->o->given[OPT_YES]) return runs_delete(r->a, r->folder, runs->data, runs->len);
  for (int i = 0; i < runs->len; i++) puts(runs->data[i]);
  return usage_error("`--yes` deletes these runs: %d", runs->len);
}

static int export_csv(const Runs *r) {
  Conditions conditions = {0};
  Text out = {0};
  reg_status st = {0};
  if (take_arguments(r, NULL, &conditions)) return EXIT_USAGE;
  const Names runs = chosen(r, &conditions);
  const Known k = known(r, &runs, true);
  const char **cells = values(r, &k, runs.len);
  for (int i = 0; i <= runs.len; i++) {
    for (int n = 0; n < k.all.len; n++) {
      if (n) reg_text_add(&out, ",");
      reg_text_csv(&out, i ? *cells++ : k.all.data[n].name);
    }
    reg_text_add(&out, "\n");
  }
  const char *to = r->o->given[OPT_OUTPUT] ? r->o->value[OPT_OUTPUT] : NULL;
  const int code = out.failed ? REG_INTERNAL : to ? reg_file_write(to, out.data, out.used, &st) : EXIT_OK;
  if (code) tell_status(r->o, &st);
  if (!to && !out.failed) fwrite(out.data, 1, out.used, stdout);
  reg_text_free(&out);
  return code;
}

static int command(const Runs *r) {
  const char *what = r->o->arguments.len ? r->o->arguments.data[0] : "list";
  if (!strcmp(what, "list")) return list(r);
  if (!strcmp(what, "show")) return named(r, 1, what, show);
  if (!strcmp(what, "compare")) return named(r, 2, what, compare);
  if (!strcmp(what, "delete")) return named(r, 1, what, delete);
  if (!strcmp(what, "export")) return export_csv(r);
  static const char *const all[] = {"list", "show", "compare", "delete", "export"};
  const char *near = nearest_name(what, all, 5);
  return usage_error(near ? "`regc runs` has no `%s`; did you mean `%s`?"
                          : "`regc runs` has no `%s`: list, show, compare, delete, export",
                     what, near);
}

int cmd_runs(Session *s, const Options *o) {
  Runs r = {.a = s->arena, .o = o, .folder = o->given[OPT_OUT_DIR] ? o->value[OPT_OUT_DIR] : "runs"};
  int code;
  r.db = runs_open(r.a, r.folder, &code);
  if (!r.db) return code;
  r.of_sweeps = asks_for_sweeps(&r);
  code = command(&r);
  sqlite3_close(r.db);
  return code;
}
