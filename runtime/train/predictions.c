// Predictions as CSV: id or what the rows are called, the target (class name or value) where the rows are
// those of a data set, for a classifier the predicted class, and every output, named by its class, with the
// nine digits that fix a float, the seventeen that fix a double. Of rows of other files what predictions mean
// by the loss: probabilities of classes, numbers of the target.
#include "train/internal.h"
#include <math.h>

// Of a row that holds what is no number: -1.
static int64_t largest(const void *values, reg_dtype type, int64_t from, int64_t count) {
  int64_t best = 0;
  for (int64_t i = 0; i < count; i++) {
    const double value = reg_float_at(values, type, from + i);
    if (isnan(value)) return -1;
    if (value > reg_float_at(values, type, from + best)) best = i;
  }
  return best;
}

static void put_number(Text *o, const void *values, reg_dtype type, int64_t i) {
  reg_text_format(o, type == REG_F64 ? "%.17g" : "%.9g", reg_float_at(values, type, i));
}

static void put_truth(Text *o, const reg_field *target, int64_t id, bool classifies) {
  if (target->classes && (classifies || !target->values))
    reg_text_csv(o, target->class_names[target->classes[id]]);
  else
    put_number(o, target->values, target->dtype, id);
}

// "output_rose", or the output's number where there is no class.
static void put_output_name(Text *o, const char *what, const char *class_name, int64_t number) {
  Text name = {0};
  reg_text_add(&name, what);
  if (class_name)
    reg_text_add(&name, class_name);
  else
    reg_text_format(&name, "%lld", (long long)number);
  if (name.failed)
    o->failed = true;
  else
    reg_text_csv(o, name.data);
  reg_text_free(&name);
}

static void put_row_name(Text *o, const reg_field *called, int64_t row) {
  if (called->classes)
    reg_text_csv(o, called->class_names[called->classes[row]]);
  else if (called->dtype == REG_I32)
    reg_text_format(o, "%d", ((const int32_t *)called->values)[row]);
  else
    put_number(o, called->values, called->dtype, row);
}

static void put_head(Text *o, const reg_field *called, const reg_field *target, bool classifies,
                     int64_t width) {
  reg_text_csv(o, called->name);
  if (target) {
    reg_text_add(o, ",");
    reg_text_csv(o, target->name);
  }
  if (classifies) reg_text_add(o, ",predicted");
  for (int64_t j = 0; j < width; j++) {
    reg_text_add(o, ",");
    put_output_name(o, "output_", classifies ? target->class_names[j] : NULL, j);
  }
  reg_text_add(o, "\n");
}

void predictions_put(Text *o, const reg_field *target, const reg_field *called, const int64_t *rows,
                     const void *predictions, reg_dtype type, int64_t count, int64_t width) {
  const bool classifies = target && target->nclasses == width && width > 1;
  put_head(o, called, target, classifies, width);
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = rows[i], best = classifies ? largest(predictions, type, i * width, width) : -1;
    put_row_name(o, called, at);
    if (target) {
      reg_text_add(o, ",");
      put_truth(o, target, at, classifies);
    }
    if (classifies) reg_text_add(o, ",");
    if (best >= 0) reg_text_csv(o, target->class_names[best]);
    for (int64_t j = 0; j < width; j++) {
      reg_text_add(o, ",");
      put_number(o, predictions, type, i * width + j);
    }
    reg_text_add(o, "\n");
  }
}

// -- what predictions mean

static void put_answer_head(Text *o, reg_answer kind, const reg_field *target, const reg_rows *rows,
                            int64_t width) {
  const bool probable = kind == REG_ANSWER_PROBABLE || kind == REG_ANSWER_CLASSES;
  const bool classifies = target && target->nclasses == width && width > 1,
             one = width == 1 && kind == REG_ANSWER_CLASSES && target->nclasses == 2;
  reg_text_csv(o, rows->called ? rows->called : "id");
  if (classifies || one) reg_text_add(o, ",predicted");
  for (int64_t j = 0; j < width; j++) {
    const char *name = one ? target->class_names[1] : classifies ? target->class_names[j] : NULL;
    reg_text_add(o, ",");
    if (kind == REG_ANSWER_NUMBER && width == 1)
      reg_text_csv(o, target->name);
    else
      put_output_name(o, probable ? "probability_" : "output_", name, j);
  }
  reg_text_add(o, "\n");
}

void answers_put(Text *o, const reg_train *t, const reg_dataset *d, const reg_rows *rows, const void *values,
                 reg_dtype type, int64_t width) {
  const int about = t->answered >= 0 ? t->answered : d->target;
  const reg_field *target = about >= 0 ? &d->fields[about] : NULL;
  const bool classifies = target && target->nclasses == width && width > 1,
             one = width == 1 && t->answers == REG_ANSWER_CLASSES && target->nclasses == 2;
  put_answer_head(o, t->answers, target, rows, width);
  for (int64_t i = 0; i < rows->nrows; i++) {
    if (rows->names && rows->names[i])
      reg_text_csv(o, rows->names[i]);
    else
      reg_text_format(o, "%lld", (long long)(rows->place ? rows->place[i] : i));
    int64_t best = classifies ? largest(values, type, i * width, width) : -1;
    const double p = one ? reg_float_at(values, type, i) : NAN;
    if (!isnan(p)) best = p > 0.5;
    if (classifies || one) reg_text_add(o, ",");
    if (best >= 0) reg_text_csv(o, target->class_names[best]);
    for (int64_t j = 0; j < width; j++) {
      reg_text_add(o, ",");
      put_number(o, values, type, i * width + j);
    }
    reg_text_add(o, "\n");
  }
}
