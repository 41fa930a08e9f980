// Data: a table of named fields, one row a sample, and its parts. In: a plan (what the program says). Out: a
// data set.
#ifndef REG_DATA_H
#define REG_DATA_H
#include "status.h"
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { REG_MAX_RANK = 8, REG_MOST_FOOTER = 100 };
typedef enum reg_dtype { REG_F32, REG_I32, REG_BOOL, REG_F64 } reg_dtype;

// Bytes of an element where compiled code reads it.
static inline size_t reg_dtype_bytes(reg_dtype t) { return t == REG_F64 ? 8 : t == REG_BOOL ? 1 : 4; }

// Element i of floats, of either type; what is put there is rounded to theirs.
static inline double reg_float_at(const void *values, reg_dtype t, int64_t i) {
  return t == REG_F64 ? ((const double *)values)[i] : (double)((const float *)values)[i];
}
static inline void reg_float_put(void *values, reg_dtype t, int64_t i, double v) {
  if (t == REG_F64)
    ((double *)values)[i] = v;
  else
    ((float *)values)[i] = (float)v;
}
// The same of any type.
static inline double reg_number_at(const void *values, reg_dtype t, int64_t i) {
  return t == REG_I32    ? (double)((const int32_t *)values)[i]
         : t == REG_BOOL ? (double)((const uint8_t *)values)[i]
                         : reg_float_at(values, t, i);
}
static inline void reg_number_put(void *values, reg_dtype t, int64_t i, double v) {
  if (t == REG_I32)
    ((int32_t *)values)[i] = (int32_t)v;
  else if (t == REG_BOOL)
    ((uint8_t *)values)[i] = v != 0;
  else
    reg_float_put(values, t, i, v);
}
// Whether no finite number of type f becomes infinite in type t.
static inline bool reg_floats_fit(const void *from, reg_dtype f, reg_dtype t, int64_t n) {
  for (int64_t i = 0; i < n && f == REG_F64 && t == REG_F32; i++) {
    const double value = reg_float_at(from, f, i);
    if (isfinite(value) && isinf((float)value)) return false;
  }
  return true;
}
static inline void reg_floats_copy(void *to, reg_dtype t, const void *from, reg_dtype f, int64_t n) {
  if (t == f && n > 0) memcpy(to, from, (size_t)n * reg_dtype_bytes(t));
  for (int64_t i = 0; i < n && t != f; i++) reg_float_put(to, t, i, reg_float_at(from, f, i));
}

struct reg_dataset;
// Makes rows of x when they are first needed. Its functions may be called from several threads at once.
typedef struct reg_supply {
  int (*begin)(struct reg_supply *s, const struct reg_dataset *d,
               reg_status *st); // its shift and factor are known
  // Rows, one behind the other, as floats of the field's type. The first that cannot be made: REG_BAD_DATA.
  int (*take)(struct reg_supply *s, const int64_t *rows, int64_t count, void *to, reg_status *st);
  void (*next)(struct reg_supply *s, const int64_t *rows, int64_t count); // these are taken next
  void (*end)(struct reg_supply *s);
} reg_supply;

// One column, or x, or characters of a text (classes only, a window of them a row). A number column has
// `values`; a target of integers has `classes` besides; a text column has `classes` only. Whoever uses a
// field picks the representation it needs.
typedef struct reg_field {
  const char *name;
  reg_dtype dtype; // the plan's floats: a number column; REG_I32: a text column, or `id`
  int rank;        // of one row; 0: a number a row
  int64_t dim[REG_MAX_RANK];
  int64_t width;      // elements a row
  void *values;       // rows x width, floats, or int32_t for `id`; NULL for a text column, or they come from:
  reg_supply *supply; // or NULL
  int32_t *classes;   // rows x width: 0..nclasses-1 in sorted order of the original values (numbers by value,
                      // text by bytes); or NULL
  int64_t nclasses;   // 0: cannot be read as classes
  char **class_names;
  const char *why; // of a target that has only one of the two: the cell that is no number, or no class
} reg_field;

// Values that are there as a whole. Those of a supply come while others may look: see reg_data_whole.
static inline void *reg_field_values(const reg_field *f) {
  return __atomic_load_n(&f->values, __ATOMIC_ACQUIRE);
}
static inline bool reg_field_numeric(const reg_field *f) { return f->supply || f->values; }

typedef struct reg_part {
  const char *name; // "train", "valid", "test", or "all"
  int64_t nrows;
  int64_t *rows; // indices into the table
} reg_part;

typedef struct reg_dataset {
  int64_t nrows;
  int nfields;
  reg_field *fields; // x (all columns that are nothing else, in file order), targets, others, id (row number)
  int target;        // which of them is the first target; -1: none
  int named;         // which of them says what the rows are called where they are reported; -1: id does
  int nparts;
  reg_part *parts;            // unsplit: one part "all"
  char checksum[17];          // of the source files, hexadecimal
  const char *const *columns; // of x: their names, fields[0].width of them
  // What was learned from the training part and applied to x: x' = (x - shift) * factor for each column of x.
  double *shift, *factor;
  int ncurves;
  const struct reg_curve *curves; // what is done to x before
  int nsources;
  const struct reg_source *sources; // the columns of the files that x is made of; none: its own columns
  int nlags;                        // of these, or of the columns of x, the last ones
  const struct reg_lag *lags;       // are other columns of rows before
  const struct reg_series *series;  // its rows are windows of those of another data set; NULL: they are not
  const struct reg_csv_form *form;  // how its files are written; NULL: as usual, or there are none
  const struct reg_image_form *images; // its rows are images; NULL: they are not
  int ntexts;
  const struct reg_tokenizer *texts; // of fields that are tokens
  reg_supply *supply;                // of x, and it is the data set's own; or NULL
  void *memory;                      // owns all of the above
} reg_dataset;

typedef enum reg_data_kind {
  REG_DATA_CSV,
  REG_DATA_TEXT,
  REG_DATA_IDX,
  REG_DATA_NPY, // also .npz
  REG_DATA_IMAGES,
  REG_DATA_SCALE,
  REG_DATA_STANDARDIZE,
  REG_DATA_MIN_MAX,
  REG_DATA_CURVE,
  REG_DATA_INTERACT, // products of columns of x
  REG_DATA_ENCODE,
  REG_DATA_IMPUTE,
  REG_DATA_LAG,
  REG_DATA_TOKENIZE, // a column of texts
  REG_DATA_DROP_MISSING,
  REG_DATA_SPLIT,
  REG_DATA_FOLD, // one of several divisions into train and test
  REG_DATA_PART,
  REG_DATA_JOIN,   // another data set beside it
  REG_DATA_FROM,   // another data set
  REG_DATA_TABLE,  // rows that have nothing but their number
  REG_DATA_ROWS,   // a part's rows: picked ones of a part of another data set
  REG_DATA_COLUMNS // of a part: columns added or replaced
} reg_data_kind;

// What of rows before a column tells: the number of that so far back; how much more than in it this row has;
// of so many rows.
typedef enum reg_lag_kind {
  REG_LAG_VALUE,
  REG_LAG_DIFFERENCE,
  REG_LAG_MEAN,
  REG_LAG_MIN,
  REG_LAG_MAX
} reg_lag_kind;

typedef enum reg_own_role {
  REG_OWN_TARGET,
  REG_OWN_FIELD, // a weight, a group, what else the loss names
  REG_OWN_ID,    // what the rows are called where they are reported
  REG_OWN_TEXT,  // becomes tokens
  REG_OWN_GROUP  // says in which row another one has its past; no field
} reg_own_role;

typedef enum reg_source_kind {
  REG_SOURCE_NUMBER,
  REG_SOURCE_ONE_HOT,
  REG_SOURCE_ORDINAL,
  REG_SOURCE_DATE
} reg_source_kind;

typedef enum reg_date_part {
  REG_DATE_YEAR,
  REG_DATE_MONTH,   // 1 to 12
  REG_DATE_DAY,     // 1 to 31
  REG_DATE_WEEKDAY, // 0, Monday, to 6
  REG_DATE_YEARDAY, // 1 to 366
  REG_DATE_HOUR,
  REG_DATE_MINUTE,
  REG_DATE_SECOND, // with its fraction
  REG_DATE_TIME,   // seconds since 1970-01-01 00:00
  REG_DATE_PARTS
} reg_date_part;
extern const char *const reg_date_part_names[REG_DATE_PARTS];

// Of three numbers that do not tell it, as 03/01/24.
typedef enum reg_date_order {
  REG_ORDER_NONE, // nothing tells it: with points the day is first
  REG_ORDER_MDY,
  REG_ORDER_DMY,
  REG_ORDER_YMD,
  REG_DATE_ORDERS
} reg_date_order;
extern const char *const reg_date_order_names[REG_DATE_ORDERS];

typedef enum reg_fill { REG_FILL_MEAN, REG_FILL_MEDIAN, REG_FILL_FREQUENT, REG_FILL_VALUE } reg_fill;

// What becomes of a row whose key the joined table lacks.
typedef enum reg_join { REG_JOIN_REFUSE, REG_JOIN_DROP, REG_JOIN_FILL } reg_join;

typedef enum reg_curve_kind {
  REG_CURVE_LOG1P,
  REG_CURVE_CLAMP,
  REG_CURVE_BINS,
  REG_CURVE_PRODUCT
} reg_curve_kind;

// The steps of making a data set: their members are the rows of data.def.
#define TABLE "data.def"
#include "structures.h"

// `standardize` after or before `split` alike uses the training part's mean and standard deviation only. The
// rows of a PART stand behind those of the source; a split divides the source alone, that of a TEXT where its
// rows lie, in their order. Class labels: the texts or the integers of the target in the source. A column of
// x with text, a missing field, NaN or infinity, a ragged row, an empty file, a class that the source lacks
// is an error with file, line and column.
//
// A computed data set has its parts one behind the other. Its rows keep their id, but that rows of a later
// operand get new ones where they clash. Numbers of one element a row are classes besides where all are
// integers, as in a CSV. A part without rows, a number that is not finite, operands whose fields differ, is
// an error.
reg_dataset *reg_data_load(const reg_data_plan *plan, reg_status *st); // NULL on failure
void reg_data_free(reg_dataset *d);
// What comes from a supply is there as a whole from then on: for whoever reads a field's values. Any thread.
int reg_data_whole(const reg_dataset *d, reg_status *st);
const reg_part *reg_data_part(const reg_dataset *d, const char *name); // NULL where there is none
// Rows of a file as the model reads them, before curves, shift and factor.
typedef struct reg_rows {
  int64_t nrows;
  double *values; // rows x inputs, in the range of a type of floats
  int64_t *place; // of each row its number in the file, from 0
  const char
      *called; // the field of the data that says what rows are called, where the file has its column; NULL
  const char **names; // these, in `text`
  char *text;
  int64_t nmore;
  char **more;     // names that the file does not have
  int64_t *series; // which of several series the row is of; NULL: there is one
  int ntokens;
  int32_t *
      *tokens; // of each of the data set's texts the rows' tokens, each row's behind how many places count
} reg_rows;
// Who is told of rows that are left out, and how many these were.
typedef struct reg_skipping {
  void (*tell)(void *user, const char *what);
  void *user;
  int64_t rows;
} reg_skipping;
// Reads a CSV file, or where rows are images a folder of these, at any depth, or one of them. Columns are
// found by name, and encoded as was learned from the training part; those that x is not made of are not
// looked at; a missing one is an error that names it. Rows that cannot be read are told to `skipping` and
// left out, where that is not NULL; else the first one is the error, as one is where no row is left.
// `each`: where rows are windows of a series, the data set that has it. Then the file has a row for each
// time, unless it has all columns of windows, and what comes out is all its windows: called as the row that
// they tell of, or `ROW + k` behind the last one.
int reg_data_read(const reg_dataset *d, const reg_dataset *each, const char *path, reg_dtype type,
                  reg_skipping *skipping, reg_rows *out, reg_status *st);
// The windows of rows of so many numbers that lie one behind the other, in their place.
int reg_series_windows(const reg_series *s, int64_t width, const char *path, reg_rows *rows, reg_status *st);
void reg_rows_free(reg_rows *r);
int reg_data_field(const reg_dataset *d, const char *name); // index, or -1
// Columns of x that are none of products of others: what rows of other files are made of.
int64_t reg_data_inputs(const reg_dataset *d);
// Their names; `to` has room for them.
void reg_data_input_names(const reg_dataset *d, const char **to);
// What was learned from the training part, applied to `count` rows of inputs, one behind the other, where
// there is room for as many rows of x; they change on the way. `to` is of the type of x. -1, or the first
// element that is no finite number of it: the rest is not filled.
int64_t reg_data_transform(const reg_dataset *d, double *rows, int64_t count, void *to);
#endif
