// JSON (RFC 8259), read from its bytes value by value; nothing is built. What is no JSON sets `bad`, and
// nothing is read any more. A value of another kind than what is asked for is passed over, and that is told.
#ifndef REG_JSON_H
#define REG_JSON_H
#include "text/text.h"

typedef struct Json {
  const char *at, *end;
  int depth;
  bool bad;
} Json;

Json json_of(const char *bytes, size_t size);
// if (json_enter(j, '{')) for (bool first = true; json_more(j, '}', &first);) { json_key(j, &name); a value }
bool json_enter(Json *j, char open); // '{' or '['
bool json_more(Json *j, char close, bool *first);
void json_key(Json *j, Text *out);        // with its colon
bool json_string(Json *j, Text *out);     // decoded, without 0; whether it fits is out->failed
bool json_integer(Json *j, int64_t *out); // within 64 bits, without point and exponent
void json_skip(Json *j);
bool json_end(Json *j); // there is nothing behind the value, and all of it was JSON
#endif
