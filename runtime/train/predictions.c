// Predictions as CSV: id, the target (class name or value) where the rows are those of a data set, for a
// classifier the predicted class, and every output, named by its class, with the nine digits
// that fix a float.
#include "train/internal.h"
#include <string.h>

static void put_field(FILE *out, const char *text) {
  if (!strpbrk(text, ",\"\r\n")) {
    fputs(text, out);
    return;
  }
  fputc('"', out);
  for (; *text; text++) {
    if (*text == '"') fputc('"', out);
    fputc(*text, out);
  }
  fputc('"', out);
}

static int64_t largest(const float *values, int64_t count) {
  int64_t best = 0;
  for (int64_t i = 1; i < count; i++)
    if (values[i] > values[best]) best = i;
  return best;
}

static void put_truth(FILE *out, const reg_field *target, int64_t id, bool classifies) {
  fputc(',', out);
  if (target->classes && (classifies || !target->values))
    put_field(out, target->class_names[target->classes[id]]);
  else
    fprintf(out, "%.9g", (double)((const float *)target->values)[id]);
}

// "output_rose", or the output's number where there is no class.
static void put_output_name(FILE *out, const char *class_name, int64_t number) {
  char name[300];
  if (class_name)
    snprintf(name, sizeof name, "output_%.280s", class_name);
  else
    snprintf(name, sizeof name, "output_%lld", (long long)number);
  fputc(',', out);
  put_field(out, name);
}

void predictions_put(FILE *out, const reg_field *target, const int64_t *ids, const float *predictions,
                     int64_t rows, int64_t width) {
  const bool classifies = target && target->nclasses == width && width > 1, truth = target && ids;
  fputs("id", out);
  if (truth) {
    fputc(',', out);
    put_field(out, target->name);
  }
  if (classifies) fputs(",predicted", out);
  for (int64_t j = 0; j < width; j++) put_output_name(out, classifies ? target->class_names[j] : NULL, j);
  fputc('\n', out);
  for (int64_t i = 0; i < rows; i++) {
    const float *row = predictions + i * width;
    const int64_t id = ids ? ids[i] : i;
    fprintf(out, "%lld", (long long)id);
    if (truth) put_truth(out, target, id, classifies);
    if (classifies) {
      fputc(',', out);
      put_field(out, target->class_names[largest(row, width)]);
    }
    for (int64_t j = 0; j < width; j++) fprintf(out, ",%.9g", (double)row[j]);
    fputc('\n', out);
  }
}
