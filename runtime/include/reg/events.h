// Events as JSON, one line each: for `--json` and metrics.jsonl. Numbers that JSON cannot hold (NaN,
// infinity) are null.
#ifndef REG_EVENTS_H
#define REG_EVENTS_H
#include "train.h"

const char *reg_event_schema(void);       // the first line of a stream, without its line end
char *reg_event_json(const reg_event *e); // one line without its end, to be freed; NULL: out of memory
// The names of n classes of a report, one behind the other; blanks between names of several characters.
struct Text;
void reg_report_words(struct Text *o, const reg_report *r, const int32_t *y, int64_t n);
// "line.weight[2, 0]": what element k of a plot of a sweep's runs is called; a number has no name.
void reg_plot_name(struct Text *o, const reg_event *e, int64_t k);
#endif
