// Messages of Protocol Buffers, made piece by piece: a field's number and wire type, then its value
// (protobuf.dev/programming-guides/encoding). What could not be added stays in `failed` of the text.
#ifndef REG_PROTOBUF_H
#define REG_PROTOBUF_H
#include "text/text.h"

// The lowest bytes of bits, the lowest first.
void reg_put_little(Text *t, uint64_t bits, int count);

void reg_protobuf_integer(Text *t, int field, int64_t value); // int64, int32, bool, enum
void reg_protobuf_float(Text *t, int field, float value);
void reg_protobuf_double(Text *t, int field, double value);
void reg_protobuf_bytes(Text *t, int field, const void *bytes, size_t count);
void reg_protobuf_text(Text *t, int field, const char *s);
// A message within a message; it is freed.
void reg_protobuf_message(Text *t, int field, Text *message);
#endif
