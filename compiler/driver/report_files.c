// What the files of a run say besides its events. In: predictions*.csv and weights*.safetensors of its
// folder. Out: of a classifier the confusion of its classes and a reliability diagram (DeGroot & Fienberg
// 1983), of a model with one number its predictions by what they should be; of each tensor of weights its
// range and a histogram.
#include "reg/file.h"
#include "reg/safetensors.h"
#include "report.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FILES = 8, BINS = 10, MOST_CLASSES = 100, MOST_DOTS = 500, MOST_PLOTS = 24, BARS = 40 };

// -- files

// The last MOST_FILES of these names, in the order of the numbers in them.
static int files_like(const char *folder, int (*is_one)(const struct dirent *), struct dirent ***out,
                      int *first) {
  const int n = scandir(folder, out, is_one, versionsort);
  *first = n > MOST_FILES ? n - MOST_FILES : 0;
  return n > 0 ? n : 0;
}

static bool has_ends(const char *name, const char *begin, const char *end) {
  const size_t n = strlen(name), last = strlen(end);
  return !strncmp(name, begin, strlen(begin)) && n >= last && !strcmp(name + n - last, end);
}

static int is_predictions(const struct dirent *d) { return has_ends(d->d_name, "predictions", ".csv"); }
static int is_weights(const struct dirent *d) { return has_ends(d->d_name, "weights", ".safetensors"); }

static void for_files(Arena *a, const char *folder, int (*is_one)(const struct dirent *), Report *out,
                      void (*one)(Arena *, const char *, const char *, Report *)) {
  struct dirent **found = NULL;
  int first;
  const int n = files_like(folder, is_one, &found, &first);
  if (first)
    report_section(a, out, "Left out")->note =
        arena_printf(a, "%d files before %s/%s", first, folder, found[first]->d_name);
  for (int i = 0; i < n; i++) {
    const char *name = arena_strdup(a, found[i]->d_name);
    if (i >= first) one(a, arena_printf(a, "%s/%s", folder, name), name, out);
    free(found[i]);
  }
  free(found);
}

// -- predictions

typedef struct Predicted {
  Arena *a;
  Report *out;
  const char *title;
  char *at; // of the text that is left
  VEC(const char *) heads, classes;
  int64_t *count; // [classes, classes]
  int64_t rows[BINS], right[BINS];
  double confidence[BINS];
  VEC(double) truth, value;
} Predicted;

// The fields of the next line, in place. Fields are quoted as RFC 4180 has it.
static int next_line(Predicted *p, const char **fields, int most) {
  int n = 0;
  char *s = p->at;
  while (*s && n < most) {
    char *to = s, end;
    const bool quoted = *s == '"';
    fields[n++] = s;
    if (quoted)
      for (s++; *s && (*s != '"' || s[1] == '"'); s++) *to++ = *s == '"' ? *++s : *s;
    if (quoted && *s) s++;
    while (*s && *s != ',' && *s != '\n') *to++ = *s++;
    end = *s;
    if (*s) s++;
    *to = 0;
    if (end != ',') break;
  }
  p->at = s;
  return n;
}

static int class_of(const Predicted *p, const char *name) {
  for (int i = 0; i < p->classes.len; i++)
    if (!strcmp(p->classes.data[i], name)) return i;
  return -1;
}

// The largest probability. Outputs that are none are made such by softmax.
static double confidence_of(const char *const *outputs, int n) {
  double most = -INFINITY, sum = 0, least = INFINITY, shares = 0;
  for (int i = 0; i < n; i++) {
    const double v = atof(outputs[i]);
    most = fmax(most, v), least = fmin(least, v), sum += v;
  }
  for (int i = 0; i < n; i++) shares += exp(atof(outputs[i]) - most);
  return least >= 0 && fabs(sum - 1) < 1e-4 ? most : 1 / shares;
}

static void take_class(Predicted *p, const char *const *fields) {
  const int truth = class_of(p, fields[1]), guess = class_of(p, fields[2]), n = p->classes.len;
  const double confidence = confidence_of(fields + 3, n);
  if (truth < 0 || guess < 0 || isnan(confidence)) return;
  const int bin = (int)fmin(fmax(ceil(confidence * BINS) - 1, 0), BINS - 1); // (low, high]
  p->count[truth * n + guess]++;
  p->rows[bin]++;
  p->right[bin] += truth == guess;
  p->confidence[bin] += confidence;
}

// A matrix of the report with these numbers gets these names: a metric has counted the same.
static bool is_there(Predicted *p) {
  const int n = p->classes.len + 1;
  for (int i = 0; i < p->out->len; i++) {
    Section *s = p->out->data[i];
    bool same = s->plot == PLOT_MATRIX && s->columns == n && s->cells.len == n * n;
    for (int k = 0; k < (n - 1) * (n - 1) && same; k++)
      same = atof(s->cells.data[(k / (n - 1) + 1) * n + k % (n - 1) + 1]) == (double)p->count[k];
    for (int k = 1; k < n && same; k++) s->cells.data[k] = s->cells.data[k * n] = p->classes.data[k - 1];
    if (same) s->x = "predicted", s->y = "actual";
    if (same) return true;
  }
  return false;
}

static void tell_confusion(Predicted *p) {
  const int n = p->classes.len;
  if (n > MOST_CLASSES || is_there(p)) return;
  Section *s = report_section(p->a, p->out, arena_printf(p->a, "%s: confusion", p->title));
  s->plot = PLOT_MATRIX;
  s->x = "predicted", s->y = "actual";
  s->columns = n + 1;
  for (int i = 0; i <= n; i++)
    for (int k = 0; k <= n; k++)
      vec_push(p->a, s->cells,
               i && k ? arena_printf(p->a, "%lld", (long long)p->count[(i - 1) * n + k - 1])
               : i    ? p->classes.data[i - 1]
               : k    ? p->classes.data[k - 1]
                      : "");
}

static void tell_reliability(Predicted *p) {
  Section *s = report_section(p->a, p->out, arena_printf(p->a, "%s: reliability", p->title));
  Series *share = report_series(p->a, s, "share that is right, by confidence", false);
  static const char *const heads[] = {"confidence above", "to", "rows", "mean confidence", "right"};
  int64_t all = 0;
  double gap = 0;
  *s = (Section){.title = s->title,
                 .plot = PLOT_LINES,
                 .x = "confidence",
                 .y = "right",
                 .shares = true,
                 .series = s->series,
                 .columns = 5};
  for (int i = 0; i < 5; i++) vec_push(p->a, s->cells, heads[i]);
  for (int i = 0; i < BINS; i++) {
    if (!p->rows[i]) continue;
    const double rows = (double)p->rows[i], mean = p->confidence[i] / rows,
                 right = (double)p->right[i] / rows;
    const double row[] = {(double)i / BINS, (double)(i + 1) / BINS, rows, mean, right};
    vec_push(p->a, share->x, mean);
    vec_push(p->a, share->y, right);
    for (int k = 0; k < 5; k++) vec_push(p->a, s->cells, arena_printf(p->a, "%.6g", row[k]));
    all += p->rows[i];
    gap += fabs(right - mean) * rows;
  }
  s->note = arena_printf(p->a, "%lld rows, expected calibration error %.4f in %d bins", (long long)all,
                         all ? gap / (double)all : 0, BINS);
}

static void tell_numbers(Predicted *p) {
  Section *s = report_section(p->a, p->out, arena_printf(p->a, "%s: predictions", p->title));
  Series *dots = report_series(p->a, s, "rows", true),
         *same = report_series(p->a, s, "as it should be", false);
  const int step = 1 + (p->truth.len - 1) / MOST_DOTS;
  double low = INFINITY, high = -INFINITY;
  for (int i = 0; i < p->truth.len; i += step) {
    vec_push(p->a, dots->x, p->truth.data[i]);
    vec_push(p->a, dots->y, p->value.data[i]);
    low = fmin(low, p->truth.data[i]), high = fmax(high, p->truth.data[i]);
  }
  for (int i = 0; i < 2; i++) {
    vec_push(p->a, same->x, i ? high : low);
    vec_push(p->a, same->y, i ? high : low);
  }
  s->plot = PLOT_LINES;
  s->x = p->heads.data[1], s->y = "predicted";
  s->series.len = 1; // its table is that of the rows
  report_numbers(p->a, s);
  s->series.len = 2;
  if (step > 1) s->note = arena_printf(p->a, "one of %d rows", step);
}

static void predictions(Arena *a, const char *path, const char *name, Report *out) {
  reg_status st = {0};
  size_t size;
  char *text = reg_file_read(path, &size, "run_missing", &st);
  if (!text) return;
  int most = 1;
  for (const char *s = text; *s && *s != '\n'; s++) most += *s == ',';
  Predicted p = {.a = a, .out = out, .at = text, .title = arena_strndup(a, name, strlen(name) - 4)};
  const char **fields = ARENA_ARRAY(a, const char *, most + 1);
  const int width = next_line(&p, fields, most);
  for (int i = 0; i < width; i++) vec_push(a, p.heads, arena_strdup(a, fields[i]));
  const bool classes = width > 4 && !strcmp(p.heads.data[2], "predicted"),
             numbers = width == 3 && !strncmp(p.heads.data[2], "output_", 7);
  for (int i = 3; i < width && classes; i++) vec_push(a, p.classes, p.heads.data[i] + strlen("output_"));
  p.count = ARENA_ARRAY(a, int64_t, p.classes.len *p.classes.len + 1);
  while (*p.at && (classes || numbers)) {
    if (next_line(&p, fields, most) != width) continue;
    if (classes)
      take_class(&p, fields);
    else
      vec_push(a, p.truth, atof(fields[1])), vec_push(a, p.value, atof(fields[2]));
  }
  free(text);
  if (classes) tell_confusion(&p), tell_reliability(&p);
  if (p.truth.len) tell_numbers(&p);
}

void report_predictions(Arena *a, const char *folder, Report *out) {
  for_files(a, folder, is_predictions, out, predictions);
}

// -- weights

typedef struct Range {
  double low, high, mean, deviation;
  int64_t zeros, finite;
} Range;

static double value_at(const reg_saved_tensor *t, int64_t i) { return reg_float_at(t->values, t->dtype, i); }

static Range range_of(const reg_saved_tensor *t) {
  Range r = {.low = INFINITY, .high = -INFINITY};
  double squares = 0;
  for (int64_t i = 0; i < t->count; i++) {
    const double v = value_at(t, i);
    r.zeros += v == 0;
    if (!isfinite(v)) continue;
    const double before = r.mean;
    r.finite++;
    r.mean += (v - before) / (double)r.finite;
    squares += (v - before) * (v - r.mean);
    r.low = fmin(r.low, v), r.high = fmax(r.high, v);
  }
  r.deviation = r.finite ? sqrt(squares / (double)r.finite) : NAN;
  return r;
}

static const char *shape_text(Arena *a, const reg_saved_tensor *t) {
  const char *text = "[";
  for (int i = 0; i < t->rank; i++)
    text = arena_printf(a, "%s%s%lld", text, i ? ", " : "", (long long)t->dim[i]);
  return arena_printf(a, "%s]", text);
}

static void tell_range(Arena *a, Section *to, const reg_saved_tensor *t, const Range *r) {
  const double numbers[] = {r->mean, r->deviation, r->low, r->high};
  vec_push(a, to->cells, arena_strdup(a, t->name));
  vec_push(a, to->cells, shape_text(a, t));
  for (int i = 0; i < 4; i++) vec_push(a, to->cells, r->finite ? arena_printf(a, "%.4g", numbers[i]) : "");
  vec_push(a, to->cells, arena_printf(a, "%lld", (long long)r->zeros));
  vec_push(a, to->cells, arena_printf(a, "%lld", (long long)(t->count - r->finite)));
}

static void tell_histogram(Arena *a, const reg_saved_tensor *t, const Range *r, Report *out) {
  Section *s = report_section(a, out, arena_printf(a, "%s %s", t->name, shape_text(a, t)));
  Series *bars = report_series(a, s, "elements", false);
  static const char *const heads[] = {"from", "to", "elements"};
  const int n = (int)fmin(BARS, ceil(2 * cbrt((double)t->count))); // by the Rice rule
  s->plot = PLOT_BARS;
  s->x = "value", s->y = "elements";
  s->columns = 3;
  for (int i = 0; i < 3; i++) vec_push(a, s->cells, heads[i]);
  for (int i = 0; i <= n; i++) vec_push(a, bars->x, r->low + (r->high - r->low) * i / n);
  for (int i = 0; i < n; i++) vec_push(a, bars->y, 0);
  for (int64_t i = 0; i < t->count; i++) {
    const double v = value_at(t, i);
    if (isfinite(v)) bars->y.data[(int)fmin(n - 1, (v - r->low) / (r->high - r->low) * n)]++;
  }
  for (int i = 0; i < n; i++)
    for (int k = 0; k < 3; k++)
      vec_push(a, s->cells, arena_printf(a, "%.6g", k == 2 ? bars->y.data[i] : bars->x.data[i + k]));
}

static void weights(Arena *a, const char *path, const char *name, Report *out) {
  static const char *const heads[] = {"tensor", "shape", "mean",  "deviation",
                                      "least",  "most",  "zeros", "not finite"};
  reg_status st = {0};
  reg_saved file;
  Section *s = report_section(a, out, arena_strndup(a, name, strlen(name) - strlen(".safetensors")));
  if (reg_safetensors_read(path, &file, &st)) {
    s->note = arena_strdup(a, st.text);
    return;
  }
  s->columns = 8;
  for (int i = 0; i < 8; i++) vec_push(a, s->cells, heads[i]);
  for (int i = 0, plots = 0; i < file.count; i++) {
    const Range r = range_of(&file.tensors[i]);
    tell_range(a, s, &file.tensors[i], &r);
    if (r.high > r.low && isfinite(r.high - r.low) && plots++ < MOST_PLOTS)
      tell_histogram(a, &file.tensors[i], &r, out);
  }
  reg_saved_free(&file);
}

void report_weights(Arena *a, const char *folder, Report *out) {
  for_files(a, folder, is_weights, out, weights);
}
