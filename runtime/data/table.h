// A file's cells, before they are fields: what csv.c reads and fields.c turns into a data set.
#ifndef REG_TABLE_H
#define REG_TABLE_H
#include "reg/data.h"
#include "support.h"

typedef struct Table {
  Heap *heap;           // owns what lives as long as the data set
  int ncolumns, target; // target: -1 where none was asked for
  char **columns;       // names
  int64_t nrows, room;
  float *numbers;   // nrows x ncolumns; 0 in a text column
  bool target_text; // the target's cells are not numbers
  char *text;       // the target's cells, each ended by 0
  size_t *text_at;  // nrows: where each begins
  size_t text_size, text_room;
  char checksum[17];
} Table;

// Reads PATH; `target` names a column or is NULL. On failure st is filled; table_free either way.
int table_read_csv(Table *t, const char *path, const char *target, reg_status *st);
void table_free(Table *t);

// The data set's fields from the table's columns: x, the target, id.
int table_to_fields(Table *t, reg_dataset *d, reg_status *st);

// Fills parts from fractions. d's fields are there.
int data_split(reg_dataset *d, Heap *heap, const reg_data_op *op, reg_status *st);
// One part "all" with every row.
int data_unsplit(reg_dataset *d, Heap *heap, reg_status *st);

typedef enum NumberText { NUMBER_OK, NUMBER_NONE, NUMBER_NOT_FINITE, NUMBER_TOO_LARGE } NumberText;
// A decimal number and nothing else in text[0..length); text[length] is 0. Called between reg_numbers_enter
// and reg_numbers_leave: the few numbers that need strtod are read in the C locale.
NumberText number_parse(const char *text, size_t length, float *value);
#endif
