// What a run did, in sections: made from its events (report_read.c), shown as HTML (report_html.c) or as text
// (report_text.c).
#ifndef DRIVER_REPORT_H
#define DRIVER_REPORT_H
#include "runs_store.h"

typedef struct Series {
  const char *name;
  bool dots; // points by themselves, not a line
  VEC(double) x, y;
} Series;

typedef struct Section {
  const char *title;
  const char *x;           // what runs along the plot's axis; NULL: no plot
  bool log_x;              // by its logarithm
  VEC(Series *) series;    // of the plot, of which the table has the numbers
  int columns;             // of the table
  VEC(const char *) cells; // row by row, its heads first
  const char *code;        // text as it is; else NULL
} Section;
typedef VEC(Section *) Report;

// Of the folder of a run. False after a mistake, which was told; *code says how to end.
bool report_read(Arena *a, const char *folder, Report *out, int *code);
void report_html(StrBuf *out, const char *title, const Report *r);
void report_text(const Report *r, const reg_terminal *t);
#endif
