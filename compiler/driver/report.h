// What a run did, in sections: made from its events (report_read.c) and from its predictions and weights
// (report_files.c), shown as HTML (report_html.c, its plots report_plot.c) or as text (report_text.c).
#ifndef DRIVER_REPORT_H
#define DRIVER_REPORT_H
#include "runs_store.h"

typedef struct Series {
  const char *name;
  bool dots; // points by themselves, not a line
  VEC(double) x, y;
} Series;

typedef enum PlotKind {
  PLOT_NONE,
  PLOT_LINES,
  PLOT_BARS,  // one series: heights y of bars between neighbouring x, of which there is one more
  PLOT_MATRIX // of the table's numbers: its first row and column are names
} PlotKind;

typedef struct Section {
  const char *title;
  PlotKind plot;
  const char *x, *y;       // what runs along the plot's axes
  bool log_x, log_y;       // by their logarithm
  bool shares;             // both run from 0 to 1, and on the diagonal they agree
  VEC(Series *) series;    // of the plot, of which the table has the numbers
  int columns;             // of the table
  VEC(const char *) cells; // row by row, its heads first
  const char *note;        // a line under the title
  const char *code;        // text as it is; else NULL
} Section;
typedef VEC(Section *) Report;

// Of the events of a run, in a table `e` of SQLite: its rows have a number `i`, the `kind` and the `line`.
typedef struct Reading {
  Arena *a;
  sqlite3 *db;
  Report *out;
} Reading;
// Those who act more than once are told apart: a name, the number of its act, and what people read.
typedef struct Act {
  const char *which[2], *name;
} Act;
typedef VEC(Act) Acts;
// Of events of a kind, in which they are called by `key`, in the order of their first ones.
Acts report_acts(const Reading *r, const char *kind, const char *key);
const char *report_text_at(const Reading *r, sqlite3_stmt *s, int column);
double report_number_at(sqlite3_stmt *s, int column); // NaN: there is none
bool report_is_far(const Section *s);                 // its numbers are above 0, and over a thousandfold
void report_sweeps(const Reading *r);                 // report_sweeps.c: of each its runs

Section *report_section(Arena *a, Report *to, const char *title);
Series *report_series(Arena *a, Section *to, const char *name,
                      bool dots); // of this name, made where there is none
// The numbers of the plot, a row for each place along x.
void report_numbers(Arena *a, Section *to);

// Of the folder of a run. False after a mistake, which was told; *code says how to end.
bool report_read(Arena *a, const char *folder, Report *out, int *code);
// What its files of predictions say of classes and numbers; a matrix that the report has and that is the
// same as one of them gets its names. What cannot be read is told in the report.
void report_predictions(Arena *a, const char *folder, Report *out);
void report_weights(Arena *a, const char *folder, Report *out); // the tensors of its weights
// `all`: long tables are printed whole.
void report_html(StrBuf *out, const char *title, const Report *r, bool all);
bool report_drawn(const Section *s);             // its plot has a number
void report_plot(StrBuf *out, const Section *s); // as SVG
// The attributes of a line of the i-th of n series, or of its dots, which tell it from the others.
void report_mark(StrBuf *out, int i, int n, bool dots);
void report_escaped(StrBuf *out, const char *s);
void report_text(Arena *a, const Report *r, const reg_terminal *t);
#endif
