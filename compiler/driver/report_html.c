// A report as one page of HTML, which opens without a server and a network: plots are SVG in it, a table of
// the numbers behind each; light and dark as the reader has it, and black on white in print.
#include "report.h"
#include <string.h>

enum {
  PRINTED = 40, // rows of a table, as the style says
  MOST_ROWS = 1000,
  MOST_NAMES = 60,
  PAPER = 112,
  WIDEST = 26
};

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fff;--line:#999;--soft:#eee;--l:42%;"
    "--c0:#1f6fb4;--c1:#c2571a;--c2:#2c8c3c;--c3:#8a4fb0;--c4:#8a6f00;--c5:#b03060}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#181818;--line:#777;--soft:#2c2c2c;--l:62%"
    ";"
    "--c0:#6cb2f0;--c1:#f0975a;--c2:#74cc84;--c3:#c796ea;--c4:#dcc04a;--c5:#ee7fa6}}\n"
    "@media print{:root{color-scheme:light;--ink:#000;--paper:#fff;--line:#888;--soft:#ddd;--l:42%;"
    "--c0:#1f6fb4;--c1:#c2571a;--c2:#2c8c3c;--c3:#8a4fb0;--c4:#8a6f00;--c5:#b03060}"
    "details:not(.many)::details-content{content-visibility:visible;display:block}"
    "details.many{display:none}*{print-color-adjust:exact}}\n"
    "body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:75rem;"
    "margin:1rem auto;padding:0 1rem;display:grid;gap:0 2rem;"
    "grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr))}\n"
    "h1,.full{grid-column:1/-1}section{min-width:0}h1{font-size:1.4rem;overflow-wrap:anywhere}"
    "h2{font-size:1.05rem;margin:1.6rem 0 .4rem;overflow-wrap:anywhere}p{margin:.2rem 0}\n"
    "svg{width:100%;max-width:35rem;height:auto;display:block}svg text{fill:var(--ink);font-size:13px}"
    "@media(max-width:640px){svg text{font-size:17px}}\n"
    ".axis{stroke:var(--line);fill:none}.grid{stroke:var(--soft);fill:none}.wide{overflow-x:auto}"
    ".cell{fill:var(--c0);stroke:var(--soft)}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "td,th{padding:.1rem .7rem .1rem 0;text-align:left;border-bottom:1px solid "
    "var(--soft);vertical-align:top;"
    "max-width:40rem;overflow-wrap:break-word}"
    "pre{background:var(--soft);padding:.7rem;overflow-x:auto}summary{cursor:pointer}\n"
    ".names{list-style:none;margin:.2rem 0;padding:0;display:flex;flex-wrap:wrap;gap:0 1rem}"
    ".names li{max-width:100%;overflow-wrap:anywhere}.names svg{display:inline-block;width:26px;height:10px;"
    "margin-right:.4rem}\n"
    ".s0{stroke:var(--c0);fill:var(--c0)}.s1{stroke:var(--c1);fill:var(--c1)}.s2{stroke:var(--c2);fill:var(--"
    "c2)}.s3{stroke:var(--c3);fill:var(--c3)}.s4{stroke:var(--c4);fill:var(--c4)}.s5{stroke:var(--c5);fill:"
    "var(--c5)}\n"
    "polyline{fill:none!important;stroke-width:1.8}.d1{stroke-dasharray:6 3}.d2{stroke-dasharray:2 3}\n"
    ".paper{display:none}\n"
    "@media print{body{display:block;font-size:11px;margin:0;padding:0;max-width:none}"
    "svg{max-width:26rem}svg text{font-size:13px}summary{display:none}"
    "h1,h2,p{break-after:avoid}section>svg,tr,li{break-inside:avoid}"
    "section>svg{break-before:avoid}thead{display:table-header-group}"
    ".wide{overflow:visible}.screen{display:none}.paper{display:block}"
    ".many tbody tr:nth-child(n+41){display:none}.paper table{margin-bottom:.8rem}"
    "td,th{overflow-wrap:anywhere}pre{white-space:pre-wrap;overflow-wrap:anywhere;overflow:visible}}";

void report_escaped(StrBuf *o, const char *s) {
  for (; *s; s++) switch (*s) {
    case '<': strbuf_add(o, "&lt;"); break;
    case '>': strbuf_add(o, "&gt;"); break;
    case '&': strbuf_add(o, "&amp;"); break;
    case '"': strbuf_add(o, "&quot;"); break;
    default: strbuf_addn(o, s, 1);
    }
}

// What the series are called, each behind a piece of its line.
static void put_names(StrBuf *o, const Section *s) {
  strbuf_add(o, "<ul class=\"names\">");
  for (int i = 0; i < s->series.len && i < MOST_NAMES; i++) {
    const Series *one = s->series.data[i];
    strbuf_add(o, "<li><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\">");
    if (one->dots)
      strbuf_add(o, "<circle r=\"3\" cx=\"13\" cy=\"5\"");
    else
      strbuf_add(o, "<polyline points=\"0,5 26,5\"");
    report_mark(o, i, s->series.len, one->dots);
    strbuf_add(o, "/></svg>");
    report_escaped(o, one->name);
    strbuf_add(o, "</li>");
  }
  if (s->series.len > MOST_NAMES) strbuf_addf(o, "<li>and %d more</li>", s->series.len - MOST_NAMES);
  strbuf_add(o, "</ul>\n");
}

typedef struct Table {
  const Section *s;
  int heads, rows; // of rows, the heads among them
} Table;

static void put_row(StrBuf *o, const Table *t, int row, int from, int end) {
  const char *tag = row < t->heads ? "th" : "td";
  strbuf_add(o, "<tr>");
  for (int k = 0; k < end; k = k || !from ? k + 1 : from) { // the first column is in each piece
    strbuf_addf(o, "<%s>", tag);
    report_escaped(o, t->s->cells.data[row * t->s->columns + k]);
    strbuf_addf(o, "</%s>", tag);
  }
  strbuf_add(o, "</tr>\n");
}

// Columns [from, end) behind the first one.
static void put_piece(StrBuf *o, const Table *t, int from, int end) {
  strbuf_add(o, "<table>\n");
  if (t->heads) {
    strbuf_add(o, "<thead>");
    put_row(o, t, 0, from, end);
    strbuf_add(o, "</thead>\n");
  }
  strbuf_add(o, "<tbody>\n");
  for (int i = 1; i < t->rows; i++) put_row(o, t, i, from, end);
  strbuf_add(o, "</tbody></table>\n");
}

// About as many characters as a column is wide; long ones are broken.
static int width_of(const Table *t, int column) {
  int width = 0;
  for (int i = t->heads ? 0 : 1; i < t->rows; i++) {
    const int own = reg_shown_width(t->s->cells.data[i * t->s->columns + column]);
    width = own > width ? own : width;
  }
  return (width < WIDEST ? width : WIDEST) + 2;
}

// How far from column `from` a sheet of paper reaches.
static int piece_end(const Table *t, int from) {
  int end = from, width = from ? width_of(t, 0) : 0;
  while (end < t->s->columns && (end == from || width + width_of(t, end) <= PAPER))
    width += width_of(t, end++);
  return end;
}

// A table that is wider than paper is printed in pieces; of one that is longer than a sheet the first rows,
// where not all are wanted.
static void put_table(StrBuf *o, const Section *s, bool all) {
  const int rows = s->cells.len / s->columns, shown = rows > MOST_ROWS + 1 ? MOST_ROWS + 1 : rows;
  const bool many = !all && rows > PRINTED + 1;
  const Table t = {s, *s->cells.data[0] || s->plot == PLOT_MATRIX, shown};
  const bool fits = piece_end(&t, 0) == s->columns;
  if (many) strbuf_add(o, "<div class=\"many\">\n");
  strbuf_add(o, fits ? "<div class=\"wide\">" : "<div class=\"wide screen\">");
  put_piece(o, &t, 0, s->columns);
  strbuf_add(o, "</div>\n");
  if (!fits) {
    strbuf_add(o, "<div class=\"paper\">\n");
    for (int from = 0, end; from < s->columns; from = end) {
      end = piece_end(&t, from);
      put_piece(o, &t, from, end);
    }
    strbuf_add(o, "</div>\n");
  }
  if (many)
    strbuf_addf(o, "</div>\n<p class=\"paper\">and %d rows more on the screen</p>\n", rows - PRINTED - 1);
  if (shown < rows)
    strbuf_addf(o, "<p%s>and %d rows more</p>\n", many ? " class=\"screen\"" : "", rows - shown);
}

static void put_section(StrBuf *o, const Section *s, bool all) {
  const bool plot = s->plot && report_drawn(s);
  const int rows = s->columns ? s->cells.len / s->columns - 1 : 0;
  const bool many = plot && !all && rows > PRINTED;
  strbuf_addf(o, "<section%s><h2>", plot ? "" : " class=\"full\"");
  report_escaped(o, s->title);
  strbuf_add(o, "</h2>\n");
  if (s->note) {
    strbuf_add(o, "<p>");
    report_escaped(o, s->note);
    strbuf_add(o, "</p>\n");
  }
  if (s->plot && !plot) strbuf_add(o, "<p>there is no number to draw</p>\n");
  if (plot) report_plot(o, s);
  if (plot && s->plot == PLOT_LINES) put_names(o, s);
  if (many) strbuf_addf(o, "<p class=\"paper\">the numbers, %d rows, are on the screen</p>\n", rows);
  if (plot) strbuf_addf(o, "<details%s><summary>numbers</summary>\n", many ? " class=\"many\"" : "");
  if (s->columns) put_table(o, s, all);
  if (plot) strbuf_add(o, "</details>\n");
  if (s->code) {
    strbuf_add(o, "<pre>");
    report_escaped(o, s->code);
    strbuf_add(o, "</pre>\n");
  }
  strbuf_add(o, "</section>\n");
}

void report_html(StrBuf *o, const char *title, const Report *r, bool all) {
  strbuf_add(o, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                "content=\"width=device-width,initial-scale=1\"><title>");
  report_escaped(o, title);
  strbuf_addf(o, "</title><style>%s</style></head><body>\n<h1>", style);
  report_escaped(o, title);
  strbuf_add(o, "</h1>\n");
  for (int i = 0; i < r->len; i++) put_section(o, r->data[i], all);
  strbuf_add(o, "</body></html>\n");
}
