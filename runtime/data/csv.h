// The reader of a CSV file: csv.c, and header.c for the names of its columns.
#ifndef REG_CSV_H
#define REG_CSV_H
#include "data/scan.h"

enum { CSV_MOST_PIECES = 8 };

typedef struct CsvReader {
  Table *table;
  const TableRequest *want;
  const reg_csv_form *form;
  reg_status *st;
  NameIndex header;
  int *use, *own_column;
  CsvLayout layout;
  int64_t line;  // on which the rows' first piece begins, from 1
  int64_t head;  // on which the columns' names are
  int64_t start; // the table's rows before this file
  CsvPiece pieces[CSV_MOST_PIECES];
  int npieces;
  bool failed; // st is filled
} CsvReader;

// Each fills r->st with the first mistake.
void csv_fail(CsvReader *r, int64_t line, int column, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void csv_no_memory(CsvReader *r, size_t bytes);
// The piece's mistake; its first line is `line`.
void csv_report(CsvReader *r, const CsvPiece *p, int64_t line);

// Names from the first line, or from the form; 0, 1, ... where nothing names them. Where the rows begin.
const char *csv_names(CsvReader *r, CsvPiece *p, const char *at);
// What becomes of each of them.
void csv_use_columns(CsvReader *r);
#endif
