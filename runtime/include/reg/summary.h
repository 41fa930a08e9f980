// What the columns of a table are, before a program says what each is for: for `regc data FILE`.
#ifndef REG_SUMMARY_H
#define REG_SUMMARY_H
#include "reg/data.h"

typedef enum reg_column_kind {
  REG_COLUMN_NUMBERS,
  REG_COLUMN_INTEGERS,
  REG_COLUMN_DATES,
  REG_COLUMN_TEXTS
} reg_column_kind;

enum { REG_SUMMARY_BINS = 8, REG_SUMMARY_TOP = 5, REG_SUMMARY_ROWS = 3, REG_SUMMARY_UNITS = 10 };

typedef struct reg_column_summary {
  const char *name;
  bool nameless; // in the file: it is called by its place
  reg_column_kind kind;
  reg_date_order order;   // of dates that do not tell their own: one that they fit, which has to be said
  int64_t missing;        // rows that have no value
  int64_t distinct;       // different values; 0: not counted (numbers that are not whole or far apart)
  int64_t rarest;         // rows of the least frequent one of them
  double low, mean, high; // of numbers, NaN where there are none; of texts, how many words they have
  int64_t bins[REG_SUMMARY_BINS]; // how many numbers lie in each eighth from low to high
  int ntop;                       // of texts the most frequent ones, in this order, and their rows
  const char *top[REG_SUMMARY_TOP];
  int64_t top_count[REG_SUMMARY_TOP];
  double number[REG_SUMMARY_ROWS]; // of the first rows; NaN: missing
  const char *text[REG_SUMMARY_ROWS];
} reg_column_summary;

typedef struct reg_summary {
  int64_t nrows, ncolumns;
  reg_column_summary *columns;
  char separator, decimal; // of fields, and the mark in numbers, as they were found
  char thousands;          // the mark between thousands; 0: there is none
  int nunits;              // that numbers have
  const char *units[REG_SUMMARY_UNITS];
  bool bare;                 // no line names the columns: they are called 0, 1, ...
  int64_t skip, skip_footer; // lines in front and at the end that are no rows
  bool sums;                 // the last row's numbers are the sums of those above it
  int64_t nblank;            // columns without a name and without values, which are none of these
  void *memory;              // owns all of the above
} reg_summary;

// Whether a path is called as tables are, .csv or .tsv, packed or not.
bool reg_is_table(const char *path);
// Reads a table of any columns (packed by gzip or zstd or not) whole. The separator is `,`, or in .tsv a tab;
// where the first line has none, `;`, a tab or `|`, with decimal commas, marks between thousands and units
// where only those make numbers. A first line of which half are numbers is a row; lines in front that have
// fewer fields than all below, and the last ones where they alone are no rows, are none of the table. On
// failure st is filled, as by reg_data_load; reg_summary_free either way.
int reg_summary_read(const char *path, reg_summary *out, reg_status *st);
void reg_summary_free(reg_summary *p);
#endif
