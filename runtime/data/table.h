// The cells of one or several files, before they are fields: what csv.c reads and fields.c and transform.c
// turn into a data set.
#ifndef REG_TABLE_H
#define REG_TABLE_H
#include "reg/program.h"
#include "support.h"

// Names and their places in a list, found in constant time.
typedef struct NameIndex {
  char **names; // in the order in which they were added
  int count, room;
  int *slot; // of a hash table with twice as many: place in names + 1, or 0
} NameIndex;

// The place of `name`, or -1.
int names_find(const NameIndex *n, const char *name);
// Adds a name that must live as long; where it is there already, the last one is found. False: out of memory.
bool names_add(NameIndex *n, char *name);
void names_free(NameIndex *n);

enum { MOST_FILES = 1024, MOST_SHARES = 4, MOST_PARTS = 8, MOST_LAGS = 10000 };

// Texts of a column, one a row, each ended by 0. These arrays and those of a table are reg_large_resize's.
typedef struct Cells {
  char *text;
  size_t size, room;
  size_t *at; // of each row; has room for it
} Cells;

bool cells_add(Cells *c, int64_t row, const char *text, size_t length); // false: out of memory
void cells_free(Cells *c);

typedef struct TableFile {
  const char *path;
  int step;             // of the plan: 0, or that of a part
  int64_t first, nrows; // rows of the table
  const int *column;    // of each own column: the number of its field in a line, from 1
  const int *x_column;  // likewise of each column of x
} TableFile;

// A column that is a field of its own.
typedef struct OwnColumn {
  const char *column, *field; // in the first file; what the program calls it
  reg_own_role role;
  bool texts; // also where they could be numbers
  Cells cells;
} OwnColumn;

typedef struct Table {
  Heap *heap;      // owns what lives as long as the data set
  reg_dtype dtype; // of the fields' numbers
  int nfiles;
  TableFile files[MOST_FILES]; // their rows follow each other
  int width;                   // columns of x
  int rank;                    // of a row of x, and its sizes; 0: a row of columns
  int64_t dim[4];
  const char *const *columns; // their names
  // What names several of them: `color` of `color=red`, `color x age` of `color=red x age`; NULL: none does.
  const char **of; // NULL: of none
  int64_t nrows, room;
  double *numbers;    // nrows x width; NaN: missing
  reg_supply *supply; // makes the rows of x later, and there are no numbers; or NULL
  // Columns of x that are texts, in whose place stands their number in a list; NULL: none are.
  bool *is_text;
  NameIndex *levels;
  int texts;       // columns of x that these are for
  int32_t *number; // nrows: of the row, where rows were dropped; NULL: in their order
  int64_t *line;   // nrows: where the row, or its first own column, stands in its file
  int64_t *place;  // nrows: its number among all rows of the file, where some were left out; NULL
  int nown;        // the targets come first
  OwnColumn *own;
  char checksum[17]; // of all files
  char separator;    // of the last file's fields, as it was read
  // Lines around its table that seem to be none of it, where that was looked at, as `skip` and `skip_footer`
  // would say them, and the separator of what is between them; 0: there are none.
  int64_t title, footer;
  char title_separator;
} Table;

// What a file is read for. Where `columns` is given these make x, in this order, whatever their order in the
// file; else all columns that are nothing else do.
typedef struct TableRequest {
  const char *path;
  const reg_csv_form *form;     // NULL: the usual one
  const char *target;           // the column of the first own one here; NULL: as in the first file
  const char *labels;           // of an array: the file of those of its rows, in .npz their array; or NULL
  const reg_image_form *images; // of a folder of images
  bool later;                   // and these are decoded when they are needed
  const char *array;            // of .npz: that of the rows; NULL: a file of one array
  const char *const *columns;
  int ncolumns;
  bool no_others;                // a column that is not asked for is a mistake
  bool holes;                    // what x lacks is no mistake yet
  bool drops;                    // what own columns lack neither
  bool optional;                 // nor own columns that the file lacks
  struct reg_skipping *skipping; // rows that cannot be read are told to it; NULL: the first one ends it
  bool grows;                    // what x lacks yet are rows before, of targets
  bool any_names;                // a column without a name is in x, too, where nothing says what is
  bool any_text;                 // a column of x with texts is one of texts, in the first file
  const bool *is_text;           // of `columns`; NULL: of those that `named` says
  int ntexts;
  const char *const *texts;           // columns of x that are texts, where the file has them
  const struct TableRequest *instead; // what is read where the file has all of its columns; or NULL
} TableRequest;

// Appends the file's rows. On failure st is filled; table_free either way.
int table_read_csv(Table *t, const TableRequest *want, reg_status *st);
int table_read_idx(Table *t, const TableRequest *want, reg_status *st);
int table_read_npy(Table *t, const TableRequest *want, reg_status *st); // also an archive of several, .npz

// Weak where they are called: binaries of programs that read no images are linked without them.
int table_read_images(Table *t, const TableRequest *want, reg_status *st);
int data_read_images(const reg_dataset *d, const char *path, reg_dtype type, struct reg_skipping *skipping,
                     reg_rows *out, reg_status *st);

// An array of numbers, whose first axis is the rows.
typedef struct ArrayRows {
  const char *path;
  int64_t rows, width; // elements of a row
  int rank;            // of a row
  int64_t dim[REG_MAX_RANK];
  double (*at)(const void *of, int64_t i); // of labels NULL where they are texts
  // As a label, in `to` with `room` bytes; false: it is none. NULL: by `at`.
  bool (*label)(const void *of, int64_t i, char *to, size_t *length);
  size_t room;
  const void *of;
} ArrayRows;

// Room for so many rows: of numbers, unless these come later, lines, and places of own columns' texts.
bool table_make_room(Table *t, int64_t rows); // false: out of memory
// Whether memory can hold what is known of each of so many columns: its name, shift and factor.
bool table_columns_fit(int64_t width);
// Rows behind those of the table, which are counted by table_close_array; then labels for them, of the file
// `of`, as texts of an own column.
int table_add_array(Table *t, const ArrayRows *x, reg_status *st);
int table_add_labels(Table *t, int own, const ArrayRows *y, const char *of, int64_t rows, reg_status *st);
void table_close_array(Table *t, const char *path, int64_t rows);
// A table of several files has the checksum of theirs, one behind the other.
void table_checksum(Table *t, const char *bytes, size_t size);
void table_add_sum(Table *t, const char hex[17]); // the same, of a file that has this one
void table_free(Table *t);

#define NO_VALUE_HINT "`drop_missing` leaves such rows out; or fill in a value"

// Fills st: a step names a column that x lacks.
int table_no_column(const char *column, reg_status *st);
const char *data_joined(Heap *heap, const char *a, const char *between, const char *b); // NULL: out of memory
// Fills st with a mistake of an own column in a row: FILE:LINE:COLUMN and the text.
int table_mistake(const Table *t, int own, int64_t row, reg_status *st, const char *hint, const char *fmt,
                  ...) __attribute__((format(printf, 6, 7)));
// The same of a column of x.
int table_hole(const Table *t, int x, int64_t row, reg_status *st, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
// "`0.5` (data.csv:7:2)": a cell with its place.
char *table_cell(const Table *t, int own, int64_t row);
const char *table_text(const Table *t, int own, int64_t row);
const TableFile *table_file(const Table *t, int64_t row);
// Rows of the files that a step of the plan names, which follow each other, and the first of them.
int64_t table_rows_of(const Table *t, int step, int64_t *first);
// What a path means, in the order of names: itself, the tables of a folder, or the files that fit a pattern.
int data_paths(Heap *heap, const char *path, const char *const **paths, int *count, reg_status *st);

// Rows that lack a value of x or of an own column are left out.
int table_drop_missing(Table *t, const reg_data_plan *plan, const reg_csv_form *form, reg_status *st);
// Columns of rows before, as the plan says, behind those of x. The rows that lack some are left out.
int table_lag(Table *t, reg_dataset *d, const reg_data_plan *plan, reg_status *st);
// The same for rows of other files: what is read beside the first `base` columns, behind them; how many
// columns that makes. There is room for nlags more. Then the lags of these columns.
int lag_columns(const reg_dataset *d, const char **columns, int base);
// Columns that tell groups and are none of these become own ones, for which there is room.
int lag_most_groups(const reg_dataset *d);
void lag_groups(Table *t, const reg_dataset *d, const char *const *columns, int n);
int lag_again(Table *t, const reg_dataset *d, const char *const *columns, int base, reg_status *st);
// The columns of x as the plan encodes and fills them, by what the training part holds.
int source_width(const reg_source *s); // columns that it becomes, a flag behind the others
int table_encode(Table *t, reg_dataset *d, const reg_data_plan *plan, reg_status *st);
// Rows of another file as the training part's were: columns as `sources` says, `width` of them. Where
// `wrong` is given, rows that cannot be encoded are marked there and told; else the first one ends it.
int table_apply(Table *t, const reg_source *sources, int64_t width, struct reg_skipping *skipping,
                bool *wrong, reg_status *st);
// What is wrong with a row, in st, is told, and st is as before.
void table_skip(struct reg_skipping *skipping, reg_status *st);
// Whether the plan says what becomes of what is missing; of texts of any column.
bool plan_fills(const reg_data_plan *plan);
bool plan_names(const reg_data_op *op, const char *column); // or all columns
// Whether steps before this one fill in what a column of x, of texts or numbers, lacks.
bool plan_fills_before(const reg_data_plan *plan, int step, const char *column, bool text);
bool plan_takes_texts(const reg_data_plan *plan);
// The field x, without values.
int table_make_x(const Table *t, reg_dataset *d, reg_status *st);
// Parts of a text that is a date; what is wrong with it, or NULL.
const char *date_parse(const char *text, reg_date_order order, double parts[REG_DATE_PARTS]);
// The order that a column's dates have, which all of its texts tell together.
typedef struct DateOrder {
  reg_date_order order;
  int64_t text, other; // the first one that needs it; -1: none does. Of a clash, two that have no order both
  bool clash;
} DateOrder;
DateOrder dates_order(const char *const *texts, int64_t count);

// The data set's fields: x (its values come from transform), the own columns, id.
int table_to_fields(Table *t, reg_dataset *d, reg_status *st);

// Columns of texts that become tokens: how many the plan has; as own columns behind those of the table; the
// fields of one, without values; all that is learned, and the values. -1: out of memory.
int plan_texts(const reg_data_plan *plan);
int texts_open(Table *t, const reg_data_plan *plan);
int texts_place(Table *t, reg_dataset *d, int own);
int table_tokenize(Table *t, reg_dataset *d, const reg_data_plan *plan, reg_status *st);
// The same of rows of other files, but for those that `wrong` marks: these are the first own columns.
int texts_again(Table *t, const reg_dataset *d);
int rows_tokenize(const reg_dataset *d, const Table *t, const bool *wrong, reg_rows *out, reg_status *st);

// A text's rows and fields.
int data_read_text(reg_dataset *d, Heap *heap, const reg_data_plan *plan, reg_status *st);
// Parts of the first `rows` rows by fractions or as one of several folds, at random or in their order.
int data_split(reg_dataset *d, Heap *heap, int64_t rows, bool in_order, const reg_data_op *op,
               reg_status *st);
// A part with `count` rows from `first` on.
int data_add_part(reg_dataset *d, Heap *heap, const char *name, int64_t first, int64_t count, reg_status *st);

// Rows beside those of the data set that a JOIN names, found by its key; d is a copy that shares its columns.
int data_join(reg_dataset *d, Heap *heap, const reg_data_plan *plan, const reg_data_op *op, reg_status *st);

// A data set that is made of others: the rest of load.c for a plan that reads no file.
int data_compute(reg_dataset *d, Heap *heap, const reg_data_plan *plan, reg_status *st);
// Rows of parts of other data sets, one behind the other, as the plan's ROWS say.
int data_gather(reg_dataset *d, Heap *heap, const reg_data_plan *plan, reg_status *st);
// Runs the function of a plan's step on the rows of a part of d. Outputs: REG_SLOT_COLUMN to columns[index],
// REG_SLOT_ROWS to rows[index].
typedef struct ColumnResults {
  void *const *columns;
  int32_t *rows[2];
  int64_t count; // of rows
} ColumnResults;
int data_call(const reg_data_plan *plan, const reg_data_op *op, const reg_dataset *d, const reg_part *part,
              ColumnResults *out, reg_status *st);
// The rows of a part (NULL: all) of a field, as a function's slot wants them; REG_BAD_DATA where they do not
// fit it.
int data_rows(const reg_dataset *d, const reg_part *part, int field, const reg_slot *s, void *to,
              reg_status *st);
// The column of its files that a field is, besides the first target; NULL: none, or it is computed.
const char *data_own_column(const reg_dataset *d, const char *field);
// Columns of x; 0 where models read tokens alone.
int64_t data_x_width(const reg_dataset *d);
// "0", "1", ...: names of so many columns; NULL: out of memory.
const char *const *data_numbers(Heap *heap, int64_t count);
// The same for the columns of x, to which nothing was done. -1: out of memory.
int data_number_columns(Heap *heap, reg_dataset *d, int64_t width);
// Integers of the first `first` rows in ascending order are the classes of all `rows`. *stranger: the first
// row whose value is none of these, or -1. -1: out of memory.
int data_integer_classes(Heap *heap, reg_field *f, const int64_t *values, int64_t first, int64_t rows,
                         int64_t *stranger);
// The same of texts, in the order of their bytes.
int data_text_classes(Heap *heap, reg_field *f, const char *const *cells, int64_t first, int64_t rows,
                      int64_t *stranger);

// Numbers of one element a row are classes besides where all are integers.
int data_number_integers(Heap *heap, const reg_dataset *d, reg_field *f, reg_status *st);

// Numbers, of which none is NaN, in ascending order.
void data_sort(double *numbers, int64_t count);
double data_curve(const reg_curve *c, double x);
void curve_moved(reg_curve *c, int by);                      // to columns so far behind its own
double data_curve_at(const reg_curve *c, const double *row); // of a row of x: what its column becomes
// Products of columns behind those of x, as a step of the plan says, without numbers yet: curves make them.
int table_interact(Table *t, reg_dataset *d, const reg_data_op *op, reg_status *st);
// Whether a list of names means a column: it has none, the column's own, or that of what it is one of.
bool table_means(const Table *t, int n, const char *const *names, int64_t x);
int table_check_named(const Table *t, int n, const char *const *names, reg_status *st); // each means one
// Shift and factor alone: see reg_data_transform.
int64_t data_scale(const reg_dataset *d, const double *from, int64_t rows, void *to);
// Learns the plan's transformations from the training part and fills x.
int data_transform(reg_dataset *d, Table *t, const reg_data_plan *plan, reg_status *st);

typedef enum NumberText {
  NUMBER_OK,
  NUMBER_NONE,       // any other text
  NUMBER_MISSING,    // a text that stands for a number that is not there, such as NA
  NUMBER_NOT_FINITE, // nan, inf
  NUMBER_TOO_LARGE   // for the type
} NumberText;
// A decimal number and nothing else in text[0..length); text[length] is 0. Called between reg_numbers_enter
// and reg_numbers_leave: the few numbers that need strtod are read in the C locale.
NumberText number_parse(const char *text, size_t length, reg_dtype type, double *value);
// The same of what a file's number begins with, which ends behind it: where. NULL: number_parse decides.
const char *number_quick(const char *at, char point, reg_dtype type, double *value);
// Texts that stand for a missing value; for a truth value, as 1 or 0.
bool number_missing(const char *text);
bool number_truth(const char *text, double *value);
// The exact value of a number that number_parse takes, where it is an integer of 64 bits.
bool number_integer(const char *text, int64_t *value);
// What is wrong with a text that is no number, and what to do.
const char *number_mistake(NumberText kind, reg_dtype type, const char **hint);
#endif
