// The reader of a CSV file: csv.c, header.c for the names of its columns, and blocks.c for its lines.
#ifndef REG_CSV_H
#define REG_CSV_H
#include "data/scan.h"
#include "data/stream.h"

enum { CSV_MOST_PIECES = 8 };
// Set by tests: bytes that are worth a thread; blocks are of twice as many for each.
extern size_t csv_least_piece;

typedef struct CsvReader {
  Table *table;
  const TableRequest *want;
  const reg_csv_form *form;
  reg_status *st;
  NameIndex header;
  int *use, *also, *own_column;
  CsvLayout layout;
  int64_t line;  // on which the lines of the block begin, from 1
  int64_t head;  // on which the columns' names are
  bool padded;   // the last one is that of the separators in which rows end
  int first_row; // fields of the first row, where the first one and the second one have as many; else 0
  int64_t start; // the table's rows before this file
  // The text is read block by block: these lines are in memory, and behind them the beginning of the next.
  Stream stream;
  char *bytes;
  size_t room, used; // bytes[used] is 0
  const char *at, *end;
  bool named; // the names were read
  bool last;  // nothing is behind them
  bool cut;   // the last one is not whole, and too long
  CsvPiece pieces[CSV_MOST_PIECES];
  int npieces;
  CsvPiece all; // what they have told of columns, and lines and rows
  bool found;   // texts in a column of numbers: the rows are to be read again
  int64_t nbad; // lines that were left out
  bool failed;  // st is filled
} CsvReader;

#define CSV_TO_UTF8                                                                                          \
  "save the file as UTF-8; of what spreadsheets on Windows save as CSV `iconv -f WINDOWS-1252 -t UTF-8` "    \
  "makes it"

// Each fills r->st with the first mistake.
void csv_fail(CsvReader *r, int64_t line, int column, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void csv_no_memory(CsvReader *r, size_t bytes);
// The piece's mistake; its first line is `line`.
void csv_report(CsvReader *r, const CsvPiece *p, int64_t line);

// Behind a byte order mark, and the lines that are passed over.
const char *csv_begin(CsvReader *r, const char *at, size_t size);
// Lines from `from` on, which is in bytes: r->at and r->end.
void csv_more(CsvReader *r, const char *from);
// All lines from r->at on to rows behind those of the table. What they tell of columns is in r->all.
void csv_read_rows(CsvReader *r);

// Names from the first line, or from the form; 0, 1, ... where nothing names them. Where the rows begin.
const char *csv_names(CsvReader *r, CsvPiece *p, const char *at);
// Lines in front of the header, with those that are passed over, that seem to be none of the table's, and the
// separator of its fields, in the table; the beginning of the text is in memory. The second one makes a hint
// of them; false: there are none.
void csv_find_title(CsvReader *r);
bool csv_suggest_title(CsvReader *r);
// A hint where lines that are passed over may have held the names.
void csv_suggest_no_skip(CsvReader *r);
// A hint where this line, which is no row, is one of the file's last ones.
void csv_suggest_footer(CsvReader *r, int64_t line);
// What a column is called that the first line leaves without a name.
void csv_nameless(int column, char to[32]);
bool csv_is_nameless(const CsvReader *r, int column);
// The mistake of a column that the header leaves without a name and that is not empty.
void csv_has_no_name(CsvReader *r, int column, const char *cell, int64_t line);
// What becomes of each of them.
void csv_use_columns(CsvReader *r);
#endif
