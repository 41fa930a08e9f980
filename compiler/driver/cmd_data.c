// regc data: what the data of a program (of a table: show_table.c) are, as they were read: parts, columns of
// x as in the files, fields, first rows. A program whose models are wrong shows its data all the same.
#include "pipeline.h"
#include "reg/summary.h"
#include <math.h>
#include <string.h>

enum { MOST_CLASSES = 12, FIRST_ROWS = 3, FIRST_COLUMNS = 8, BINS = 8 };

typedef struct Range {
  double low, high, mean;
  int64_t bins[BINS];
} Range;

// A number of x before it was scaled, behind curves; what scaling it in single precision cost is rounded off.
static double raw_at(const reg_dataset *d, int64_t row, int64_t column) {
  const reg_field *x = &d->fields[0];
  const double v = reg_float_at(x->values, x->dtype, row * x->width + column), factor = d->factor[column];
  if (factor == 1 && d->shift[column] == 0) return v;
  const double unit = pow(10, ceil(log10(1e-6 / fabs(factor))));
  return rint((v / factor + d->shift[column]) / unit) * unit + 0.0; // no -0
}

static double field_at(const reg_field *f, int64_t row) { return reg_number_at(f->values, f->dtype, row); }

static Range range_of(const reg_dataset *d, const reg_field *f, int64_t column) {
  Range r = {INFINITY, -INFINITY, 0, {0}};
  for (int pass = 0; pass < 2; pass++)
    for (int64_t i = 0; i < d->nrows; i++) {
      const double v = f == &d->fields[0] ? raw_at(d, i, column) : field_at(f, i);
      if (pass) {
        const int at = r.high > r.low ? (int)((v - r.low) / (r.high - r.low) * BINS) : 0;
        r.bins[at < BINS ? at : BINS - 1]++;
      } else {
        r.low = fmin(r.low, v);
        r.high = fmax(r.high, v);
        r.mean += (v - r.mean) / (double)(i + 1);
      }
    }
  return r;
}

const char *shown_bins(Arena *a, const int64_t *bins, int n) {
  static const char *const levels[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  int64_t most = 1;
  const char *text = "";
  for (int i = 0; i < n; i++) most = bins[i] > most ? bins[i] : most;
  for (int i = 0; i < n; i++) text = arena_printf(a, "%s%s", text, levels[(8 * bins[i] + most - 1) / most]);
  return text;
}

// -- for people

static void print_range(Arena *a, const char *name, const char *type, const Range *r) {
  fputs("  ", stdout);
  text_padded(stdout, name, 22);
  printf("  %-8s %12.6g %12.6g %12.6g  %s\n", type, r->low, r->mean, r->high, shown_bins(a, r->bins, BINS));
}

static int64_t *class_counts(Arena *a, const reg_dataset *d, const reg_field *f) {
  int64_t *count = ARENA_ARRAY(a, int64_t, f->nclasses + 1);
  for (int64_t i = 0; i < d->nrows; i++) count[f->classes[i]]++;
  return count;
}

static void print_classes(Arena *a, const reg_dataset *d, const reg_field *f) {
  const int64_t *count = class_counts(a, d, f);
  fputs("  ", stdout);
  reg_shown(stdout, f->name);
  printf(": %lld %s:", (long long)f->nclasses, f->values ? "whole numbers" : "texts");
  for (int64_t c = 0; c < f->nclasses && c < MOST_CLASSES; c++) {
    fputs(c ? ", " : " ", stdout);
    reg_shown(stdout, f->class_names[c]);
    printf(" (%lld)", (long long)count[c]);
  }
  puts(f->nclasses > MOST_CLASSES ? ", ..." : "");
}

static const char *source_type(const reg_source *s) {
  static const char *const types[] = {"number", "one_hot", "ordinal", "date"};
  return types[s->kind];
}

static void print_sources(const reg_dataset *d) {
  for (int i = 0; i < d->nsources; i++) {
    const reg_source *s = &d->sources[i];
    if (s->kind == REG_SOURCE_NUMBER && !s->filled) continue;
    fputs("  ", stdout);
    reg_shown(stdout, s->name);
    printf(" (%s)", source_type(s));
    if (s->nlevels) printf(": %d texts", s->nlevels);
    if (s->filled && !s->nlevels) printf(", %.6g where it is missing", s->fill);
    if (s->filled && s->nlevels) {
      fputs(", `", stdout);
      reg_shown(stdout, s->levels[(int)s->fill]);
      fputs("` where it is missing", stdout);
    }
    puts("");
  }
}

static void print_texts(const reg_dataset *d) {
  for (int i = 0; i < d->ntexts; i++) {
    const reg_tokenizer *k = &d->texts[i];
    fputs("  ", stdout);
    reg_shown(stdout, d->fields[k->field].name);
    printf(": %lld places of %d %s", (long long)k->places, k->nnames,
           k->words     ? "words"
           : k->nmerges ? "pieces of words"
                        : "characters");
    if (k->drop > 0) printf(", %g %% of merges passed over while training", 100 * k->drop);
    puts("");
  }
}

static void print_rows(const reg_dataset *d) {
  const int64_t width = d->fields[0].width < FIRST_COLUMNS ? d->fields[0].width : FIRST_COLUMNS;
  for (int64_t i = 0; i < d->nrows && i < FIRST_ROWS; i++) {
    printf("  row %lld:", (long long)field_at(&d->fields[reg_data_field(d, "id")], i));
    for (int64_t j = 0; j < width && d->fields[0].values; j++) printf(" %.6g", raw_at(d, i, j));
    fputs(d->fields[0].width > width ? " ..." : "", stdout);
    for (int k = 1; k + 1 < d->nfields; k++) {
      const reg_field *f = &d->fields[k];
      if (f->width != 1) continue;
      fputs(" | ", stdout);
      if (f->values)
        printf("%.6g", field_at(f, i));
      else
        reg_shown(stdout, f->class_names[f->classes[i]]);
    }
    puts("");
  }
}

// Columns of x that are being shown.
typedef struct Shown {
  Arena *arena;
  const reg_dataset *data;
} Shown;

static const char *name_of(void *shown, int64_t k) { return ((const Shown *)shown)->data->columns[k]; }

static void print_column(void *shown, int64_t k) {
  const Shown *s = shown;
  const Range r = range_of(s->data, &s->data->fields[0], k);
  print_range(s->arena, s->data->columns[k], "number", &r);
}

static void print_data(Arena *a, const char *name, const reg_dataset *d, bool all) {
  const reg_field *x = &d->fields[0];
  int64_t left = d->nrows;
  reg_shown_line(stdout, "%s: %lld rows", name, (long long)d->nrows);
  for (int i = 0; i < d->nparts; i++) {
    left -= d->parts[i].nrows;
    if (strcmp(d->parts[i].name, "all") != 0)
      printf("  .%s: %lld rows\n", d->parts[i].name, (long long)d->parts[i].nrows);
  }
  if (left > 0) printf("  in no part: %lld rows\n", (long long)left); // behind a fold of times
  print_sources(d);
  print_texts(d);
  if (x->values) printf("  %-22s  %-8s %12s %12s %12s\n", "x", "type", "min", "mean", "max");
  if (x->values)
    show_columns(&(ShownColumns){&(Shown){a, d}, .count = x->width, .all = all, .name = name_of,
                                 .print = print_column});
  for (int k = 1; k + 1 < d->nfields; k++) {
    const reg_field *f = &d->fields[k];
    if (f->width != 1) continue;
    const Range r = f->values ? range_of(d, f, 0) : (Range){0};
    if (f->values) print_range(a, f->name, "field", &r);
    if (f->classes) print_classes(a, d, f);
  }
  print_rows(d);
}

// -- as JSON

static void json_range(Arena *a, const char *name, const Range *r) {
  printf("{\"name\":%s,\"min\":%s,\"mean\":%s,\"max\":%s,\"histogram\":[", text_json(a, name),
         text_number(a, r->low), text_number(a, r->mean), text_number(a, r->high));
  for (int i = 0; i < BINS; i++) printf("%s%lld", i ? "," : "", (long long)r->bins[i]);
  fputs("]", stdout);
}

static void json_data(Arena *a, const char *name, const reg_dataset *d) {
  const reg_field *x = &d->fields[0];
  printf("{\"data\":%s,\"rows\":%lld,\"parts\":{", text_json(a, name), (long long)d->nrows);
  for (int i = 0; i < d->nparts; i++)
    printf("%s%s:%lld", i ? "," : "", text_json(a, d->parts[i].name), (long long)d->parts[i].nrows);
  fputs("},\"columns\":[", stdout);
  for (int64_t j = 0; j < x->width && x->values; j++) {
    const Range r = range_of(d, x, j);
    fputs(j ? "," : "", stdout);
    json_range(a, d->columns[j], &r);
    fputs("}", stdout);
  }
  fputs("],\"fields\":[", stdout);
  for (int k = 1, n = 0; k + 1 < d->nfields; k++) {
    const reg_field *f = &d->fields[k];
    if (f->width != 1) continue;
    const Range r = f->values ? range_of(d, f, 0) : (Range){0};
    fputs(n++ ? "," : "", stdout);
    if (f->values)
      json_range(a, f->name, &r);
    else
      printf("{\"name\":%s", text_json(a, f->name));
    if (f->classes) {
      const int64_t *count = class_counts(a, d, f);
      fputs(",\"classes\":{", stdout);
      for (int64_t c = 0; c < f->nclasses; c++)
        printf("%s%s:%lld", c ? "," : "", text_json(a, f->class_names[c]), (long long)count[c]);
      fputs("}", stdout);
    }
    fputs("}", stdout);
  }
  puts("]}");
}

// -- the command

// Looks at all data of the program; true where one of them has no rows because of a mistake.
static bool look_at_all(Pipeline *p) {
  const Diags *found = &p->session->diags;
  bool wrong = false;
  for (int i = 0; i < p->program->defs.len; i++) {
    const Def *d = p->program->defs.entries[i].value;
    if (d->kind != KIND_DATA || d->from_library || d->own) continue;
    const int before = found->errors;
    lower_definition(p->lowered, d->name);
    wrong |= found->errors > before;
  }
  for (int i = 0; i < p->lowered->made.len; i++) { // for a statement
    const DataMade *made = &p->lowered->made.data[i];
    wrong |= made->dataset < 0 && *made->name; // of a sweep's run it is a row
  }
  return wrong;
}

static int show_file(Session *s, const Options *o, const char *path) {
  Pipeline p;
  pipeline_init(&p, s, o);
  int code = pipeline_read(&p, path), shown = 0;
  if (!code) code = pipeline_check(&p);
  if (!code) {
    pipeline_elaborate(&p);
    const bool wrong = look_at_all(&p);
    const Lowered *l = p.lowered;
    for (int i = 0; i < l->datasets.len; i++) {
      const char *name = l->dataset_names.data[i];
      if (name[0] == '(') continue; // on the way to another
      reg_status st = {0};
      if (reg_data_whole(l->datasets.data[i], &st)) {
        tell_status(o, &st);
        code = st.code;
        break;
      }
      if (shown++ && !o->given[OPT_JSON]) puts("");
      if (o->given[OPT_JSON])
        json_data(s->arena, name, l->datasets.data[i]);
      else
        print_data(s->arena, name, l->datasets.data[i], o->given[OPT_VERBOSE]);
    }
    if (!code && (l->exit_code || wrong || !shown)) code = pipeline_report(&p);
    if (l->exit_code) code = l->exit_code;
  }
  if (!code && !shown) reg_shown_line(stderr, "%s: it has no data", path);
  pipeline_free(&p);
  return code;
}

int cmd_data(Session *s, const Options *o) {
  if (!o->arguments.len) return usage_error("`regc data` needs a file");
  int code = EXIT_OK;
  for (int i = 0; i < o->arguments.len; i++) {
    const char *path = o->arguments.data[i];
    const bool table = reg_is_table(path) || text_ends_in(path, ".data") || text_ends_in(path, ".txt");
    const int file_code = (table ? show_table : show_file)(s, o, path);
    if (file_code > code) code = file_code;
  }
  return code;
}
