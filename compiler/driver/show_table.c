// `regc data FILE` of a table: what its columns hold, and a definition to begin with.
#include "../syntax/ast.h"
#include "driver.h"
#include "reg/summary.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

enum {
  MOST_SHOWN = 60,
  MOST_LEVELS = 20,
  FEW_VALUES = 20,
  ENOUGH_ROWS = 5,
  MOST_PLACES = 256,
  SHORTEST_TEXT = 3
};

static const char *kind_name(reg_column_kind kind) {
  static const char *const names[] = {"number", "integer", "date", "text"};
  return names[kind];
}

static bool is_numbers(const reg_column_summary *c) {
  return c->kind == REG_COLUMN_NUMBERS || c->kind == REG_COLUMN_INTEGERS;
}

// -- for people

// A summary that is being shown.
typedef struct Shown {
  Arena *arena;
  const reg_summary *summary;
} Shown;

static const char *name_of(void *shown, int64_t k) {
  return ((const Shown *)shown)->summary->columns[k].name;
}

static bool same_kind(void *shown, int64_t a, int64_t b) {
  const reg_column_summary *list = ((const Shown *)shown)->summary->columns;
  return is_numbers(&list[a]) == is_numbers(&list[b]);
}

static void print_column(void *shown, int64_t k) {
  Arena *a = ((const Shown *)shown)->arena;
  const reg_column_summary *c = &((const Shown *)shown)->summary->columns[k];
  fputs("  ", stdout);
  text_padded(stdout, c->name, 22);
  printf("  %-8s %8lld ", kind_name(c->kind), (long long)c->missing);
  printf("%8s ", c->distinct ? arena_printf(a, "%lld", (long long)c->distinct) : "");
  if (is_numbers(c)) {
    printf("%12.6g %12.6g %12.6g  %s\n", c->low, c->mean, c->high, shown_bins(a, c->bins, REG_SUMMARY_BINS));
    return;
  }
  for (int i = 0; i < c->ntop; i++) {
    fputs(i ? ", " : " ", stdout);
    reg_shown(stdout, c->top[i]);
    printf(" (%lld)", (long long)c->top_count[i]);
  }
  puts(c->distinct > c->ntop ? ", ..." : "");
}

static void print_row(const reg_summary *p, int row) {
  printf("  row %d:", row);
  for (int64_t k = 0; k < p->ncolumns && k < MOST_SHOWN; k++) {
    const reg_column_summary *c = &p->columns[k];
    fputs(k ? " | " : " ", stdout);
    if (c->text[row])
      reg_shown(stdout, c->text[row]);
    else if (!isnan(c->number[row]))
      printf(c->kind == REG_COLUMN_DATES ? "%.0f" : "%.6g", c->number[row]);
  }
  puts(p->ncolumns > MOST_SHOWN ? " ..." : "");
}

// What of the file is no row of the table, or no column.
static void print_around(const reg_summary *p) {
  const char *s = p->skip_footer > 1 ? "s" : "";
  if (p->skip) printf("  line%s before the table: %lld\n", p->skip > 1 ? "s" : "", (long long)p->skip);
  if (p->skip_footer) printf("  line%s behind the table: %lld\n", s, (long long)p->skip_footer);
  if (p->nblank) printf("  columns without a name and without values: %lld\n", (long long)p->nblank);
  if (p->sums) {
    printf("  the last row holds the sums of those above it: `skip_footer: %lld` leaves it out\n",
           (long long)p->skip_footer + 1);
  }
}

// -- a definition to begin with

static const char *written(Arena *a, const char *column) {
  return text_is_name(column) ? column : text_json(a, column);
}

// A name for the data, of the file's; "table" where that makes none.
static const char *data_named(Arena *a, const char *path) {
  const char *slash = strrchr(path, '/');
  char *name = arena_strdup(a, slash ? slash + 1 : path);
  name[strcspn(name, ".")] = 0;
  for (char *c = name; *c; c++) *c = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '_';
  return text_is_name(name) ? name : "table";
}

// What a column that is not the target becomes.
typedef enum Use { USE_NUMBER, USE_ONE_HOT, USE_DATE, USE_OPEN_DATE, USE_TOKENS, USE_NOT, USE_ID, USES } Use;

// `id`, `row_id`, `PassengerId`: another one in each row, as far as values were counted.
static bool is_id(const reg_summary *p, const reg_column_summary *c) {
  const size_t n = strlen(c->name);
  if (c->missing || (c->distinct != p->nrows && (c->distinct || c->kind != REG_COLUMN_INTEGERS)))
    return false;
  if (n < 2 || strcasecmp(c->name + n - 2, "id")) return false;
  const unsigned char first = (unsigned char)c->name[n - 2],
                      before = n > 2 ? (unsigned char)c->name[n - 3] : '_';
  return !isalpha(before) || (isupper(first) && islower(before));
}

static Use use_of(const reg_summary *p, const reg_column_summary *c) {
  if (c->nameless) return USE_NOT; // of pandas and of R they are numbers of rows
  if (is_id(p, c)) {
    for (const reg_column_summary *other = p->columns; other < c; other++)
      if (is_id(p, other)) return USE_NOT;
    return USE_ID;
  }
  if (is_numbers(c)) return isnan(c->mean) ? USE_NOT : USE_NUMBER;
  if (c->kind == REG_COLUMN_DATES) return c->missing ? USE_NOT : c->order ? USE_OPEN_DATE : USE_DATE;
  if (c->distinct <= MOST_LEVELS) return USE_ONE_HOT;
  return c->mean >= SHORTEST_TEXT && !c->missing ? USE_TOKENS : USE_NOT;
}

// The last column that has values.
static const reg_column_summary *target_of(const reg_summary *p) {
  int64_t k = p->ncolumns - 1;
  while (k > 0 && p->columns[k].missing == p->nrows) k--;
  return &p->columns[k];
}

static const char *list_of(Arena *a, const reg_summary *p, Use use, bool missing) {
  const reg_column_summary *target = target_of(p);
  const char *list = NULL;
  int n = 0;
  for (int64_t k = 0; k < p->ncolumns; k++) {
    const reg_column_summary *c = &p->columns[k];
    if (c == target || use_of(p, c) != use || (missing && !c->missing)) continue;
    list = arena_printf(a, "%s%s%s", n ? list : "", n ? ", " : "", written(a, c->name));
    n++;
  }
  return n > 1 ? arena_printf(a, "[%s]", list) : list;
}

static void print_tokens(Arena *a, const reg_summary *p) {
  const reg_column_summary *target = target_of(p);
  for (int64_t k = 0; k < p->ncolumns; k++) {
    const reg_column_summary *c = &p->columns[k];
    const char *name = written(a, c->name);
    if (c == target || use_of(p, c) != USE_TOKENS) continue;
    if (!text_is_name(c->name)) name = arena_printf(a, "%s as text_%lld", name, (long long)k);
    printf("    |> tokenize(%s, %d, words: 1000)\n", name, (int)fmin(c->high + 1, MOST_PLACES));
  }
}

// A column that is a field; where its name may be none, with another one.
static const char *field_of(Arena *a, const char *column, const char *other) {
  const bool named = text_is_name(column) && strcmp(column, "x") != 0 && strcmp(column, "id") != 0;
  return named ? column : arena_printf(a, "%s as %s", written(a, column), other);
}

static void print_definition(Arena *a, const reg_summary *p, const char *path) {
  const reg_column_summary *target = target_of(p);
  const char *field = field_of(a, target->name, "y");
  const bool classes =
      target->distinct > 1 && target->distinct <= FEW_VALUES && target->rarest >= ENOUGH_ROWS;
  const char *list[USES];
  for (Use u = 0; u < USES; u++) list[u] = list_of(a, p, u, false);
  bool any = false; // for x
  for (Use u = 0; u < USE_NOT; u++) any |= list[u] != NULL;
  if (!any) return;
  const char *empty = list_of(a, p, USE_NUMBER, true), *without = list_of(a, p, USE_ONE_HOT, true);
  puts("\nto begin with, where the last column is what is predicted:\n");
  printf("  data %s = csv(%s", data_named(a, path), text_json(a, path));
  if (p->separator != ',' && !text_ends_in(path, ".tsv"))
    printf(", separator: \"%s\"", p->separator == '\t' ? "\\t" : (char[]){p->separator, 0});
  if (p->decimal != '.') fputs(", decimal: \",\"", stdout);
  if (p->thousands) printf(", thousands: \"%c\"", p->thousands);
  for (int i = 0; i < p->nunits; i++)
    printf("%s\"%s\"%s", i ? ", " : ", units: [", p->units[i], i + 1 < p->nunits ? "" : "]");
  if (p->skip) printf(", skip: %lld", (long long)p->skip);
  if (p->skip_footer) printf(", skip_footer: %lld", (long long)p->skip_footer);
  if (p->bare) fputs(", header: false", stdout);
  printf(", target: %s", field);
  for (const reg_column_summary *c = p->columns; c < p->columns + p->ncolumns; c++)
    if (c != target && use_of(p, c) == USE_ID) {
      const char *name = c->name;
      printf(", id: %s", strcmp(name, "id") ? field_of(a, name, "row") : name);
    }
  if (list[USE_NOT]) printf(", drop: %s", list[USE_NOT]);
  puts(")");
  if (without) printf("    |> impute(\"none\", columns: %s)\n", without);
  if (list[USE_ONE_HOT]) printf("    |> one_hot(%s, unseen: zeros)\n", list[USE_ONE_HOT]);
  if (list[USE_DATE]) printf("    |> date_parts(%s, [year, month, weekday])\n", list[USE_DATE]);
  if (list[USE_OPEN_DATE])
    printf("    |> date_parts(%s, [year, month, weekday], order: mdy) # or dmy: the file does not tell\n",
           list[USE_OPEN_DATE]);
  print_tokens(a, p);
  if (empty) puts("    |> impute(median)");
  if (target->missing) puts("    |> drop_missing");
  if (list[USE_NUMBER] || list[USE_DATE] || list[USE_OPEN_DATE]) puts("    |> standardize");
  printf("    |> split(train: 80%%, test: 20%%, seed: 1");
  if (classes) printf(", stratify: %s", field == target->name ? field : "y");
  puts(")");
}

static void print_table(Arena *a, const reg_summary *p, const char *path, bool all) {
  reg_shown_line(stdout, "%s: %lld rows, %lld columns%s", path, (long long)p->nrows, (long long)p->ncolumns,
                 p->bare ? "; no line names them" : "");
  printf("  %-22s  %-8s %8s %8s %12s %12s %12s\n", "column", "type", "missing", "values", "min", "mean",
         "max");
  show_columns(&(ShownColumns){&(Shown){a, p}, .count = p->ncolumns, .all = all, .name = name_of,
                               .same = same_kind, .print = print_column});
  for (int row = 0; row < REG_SUMMARY_ROWS && row < p->nrows; row++) print_row(p, row);
  print_around(p);
  if (p->ncolumns > 1 && p->nrows > 1) print_definition(a, p, path);
}

// -- as JSON

static void json_table(Arena *a, const reg_summary *p, const char *path) {
  printf("{\"table\":%s,\"rows\":%lld,\"columns\":[", text_json(a, path), (long long)p->nrows);
  for (int64_t k = 0; k < p->ncolumns; k++) {
    const reg_column_summary *c = &p->columns[k];
    printf("%s{\"name\":%s,\"type\":\"%s\",\"missing\":%lld", k ? "," : "", text_json(a, c->name),
           kind_name(c->kind), (long long)c->missing);
    if (c->distinct) printf(",\"values\":%lld", (long long)c->distinct);
    if (is_numbers(c)) {
      printf(",\"min\":%s,\"mean\":%s,\"max\":%s,\"histogram\":[", text_number(a, c->low),
             text_number(a, c->mean), text_number(a, c->high));
      for (int i = 0; i < REG_SUMMARY_BINS; i++) printf("%s%lld", i ? "," : "", (long long)c->bins[i]);
      fputs("]", stdout);
    } else {
      fputs(",\"most_frequent\":{", stdout);
      for (int i = 0; i < c->ntop; i++)
        printf("%s%s:%lld", i ? "," : "", text_json(a, c->top[i]), (long long)c->top_count[i]);
      fputs("}", stdout);
    }
    fputs("}", stdout);
  }
  puts("]}");
}

int show_table(Session *s, const Options *o, const char *path) {
  reg_summary p;
  reg_status st = {0};
  const int code = reg_summary_read(path, &p, &st);
  if (code)
    tell_status(o, &st);
  else if (o->given[OPT_JSON])
    json_table(s->arena, &p, path);
  else
    print_table(s->arena, &p, path, o->given[OPT_VERBOSE]);
  reg_summary_free(&p);
  return code;
}
