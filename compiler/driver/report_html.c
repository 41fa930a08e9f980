// A report as one page of HTML, which opens without a server and a network: plots are SVG in it, a table of
// the numbers behind each; light and dark as the reader has it, and black on white in print.
#include "report.h"
#include <string.h>

enum { COLORS = 6, MOST_ROWS = 1000, MOST_NAMES = 60 };

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fff;--line:#999;--soft:#eee;"
    "--c0:#1f6fb4;--c1:#c2571a;--c2:#2c8c3c;--c3:#8a4fb0;--c4:#8a6f00;--c5:#b03060}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#181818;--line:#777;--soft:#2c2c2c;"
    "--c0:#6cb2f0;--c1:#f0975a;--c2:#74cc84;--c3:#c796ea;--c4:#dcc04a;--c5:#ee7fa6}}\n"
    "@media print{:root{color-scheme:light;--ink:#000;--paper:#fff;--line:#888;--soft:#ddd;"
    "--c0:#1f6fb4;--c1:#c2571a;--c2:#2c8c3c;--c3:#8a4fb0;--c4:#8a6f00;--c5:#b03060}"
    "details::details-content{content-visibility:visible;display:block}section{break-inside:avoid-page}"
    "*{print-color-adjust:exact}}\n"
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
    "polyline{fill:none!important;stroke-width:1.8}.d1{stroke-dasharray:6 3}.d2{stroke-dasharray:2 3}";

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
      strbuf_addf(o, "<circle class=\"s%d\" r=\"3\" cx=\"13\" cy=\"5\"/>", i % COLORS);
    else
      strbuf_addf(o, "<polyline class=\"s%d d%d\" points=\"0,5 26,5\"/>", i % COLORS, i / COLORS % 3);
    strbuf_add(o, "</svg>");
    report_escaped(o, one->name);
    strbuf_add(o, "</li>");
  }
  if (s->series.len > MOST_NAMES) strbuf_addf(o, "<li>and %d more</li>", s->series.len - MOST_NAMES);
  strbuf_add(o, "</ul>\n");
}

static void put_table(StrBuf *o, const Section *s) {
  const bool heads = s->columns && (*s->cells.data[0] || s->plot == PLOT_MATRIX);
  const int rows = s->cells.len / s->columns, shown = rows > MOST_ROWS + 1 ? MOST_ROWS + 1 : rows;
  strbuf_add(o, "<div class=\"wide\"><table>\n");
  for (int i = heads ? 0 : s->columns; i < shown * s->columns; i++) {
    const char *tag = i < s->columns ? "th" : "td";
    if (i % s->columns == 0) strbuf_add(o, "<tr>");
    strbuf_addf(o, "<%s>", tag);
    report_escaped(o, s->cells.data[i]);
    strbuf_addf(o, "</%s>%s", tag, (i + 1) % s->columns ? "" : "</tr>\n");
  }
  strbuf_add(o, "</table></div>\n");
  if (shown < rows) strbuf_addf(o, "<p>and %d rows more</p>\n", rows - shown);
}

static void put_section(StrBuf *o, const Section *s) {
  strbuf_addf(o, "<section%s><h2>", s->plot ? "" : " class=\"full\"");
  report_escaped(o, s->title);
  strbuf_add(o, "</h2>\n");
  if (s->note) {
    strbuf_add(o, "<p>");
    report_escaped(o, s->note);
    strbuf_add(o, "</p>\n");
  }
  if (s->plot) report_plot(o, s);
  if (s->plot == PLOT_LINES) put_names(o, s);
  if (s->plot) strbuf_add(o, "<details><summary>numbers</summary>\n");
  if (s->columns) put_table(o, s);
  if (s->plot) strbuf_add(o, "</details>\n");
  if (s->code) {
    strbuf_add(o, "<pre>");
    report_escaped(o, s->code);
    strbuf_add(o, "</pre>\n");
  }
  strbuf_add(o, "</section>\n");
}

void report_html(StrBuf *o, const char *title, const Report *r) {
  strbuf_add(o, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                "content=\"width=device-width,initial-scale=1\"><title>");
  report_escaped(o, title);
  strbuf_addf(o, "</title><style>%s</style></head><body>\n<h1>", style);
  report_escaped(o, title);
  strbuf_add(o, "</h1>\n");
  for (int i = 0; i < r->len; i++) put_section(o, r->data[i]);
  strbuf_add(o, "</body></html>\n");
}
