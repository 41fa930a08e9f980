// Events as JSON, one line each: for `--json` and metrics.jsonl. Numbers that JSON cannot hold (NaN,
// infinity) are null.
#ifndef REG_EVENTS_H
#define REG_EVENTS_H
#include "train.h"

const char *reg_event_schema(void);       // the first line of a stream, without its line end
char *reg_event_json(const reg_event *e); // one line without its end, to be freed; NULL: out of memory
#endif
