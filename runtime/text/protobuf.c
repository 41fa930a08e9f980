#include "text/protobuf.h"
#include <string.h>

enum { VARINT = 0, EIGHT = 1, COUNTED = 2, FOUR = 5 };

static void put_varint(Text *t, uint64_t value) {
  char bytes[10];
  size_t n = 0;
  for (; value >= 128; value >>= 7) bytes[n++] = (char)(value | 128);
  bytes[n++] = (char)value;
  reg_text_bytes(t, bytes, n);
}

static void put_key(Text *t, int field, int wire) { put_varint(t, (uint64_t)field << 3 | (uint64_t)wire); }

void reg_put_little(Text *t, uint64_t bits, int count) {
  char bytes[8];
  for (int i = 0; i < count; i++) bytes[i] = (char)(bits >> (8 * i));
  reg_text_bytes(t, bytes, (size_t)count);
}

void reg_protobuf_integer(Text *t, int field, int64_t value) {
  put_key(t, field, VARINT);
  put_varint(t, (uint64_t)value);
}

void reg_protobuf_float(Text *t, int field, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_key(t, field, FOUR);
  reg_put_little(t, bits, 4);
}

void reg_protobuf_double(Text *t, int field, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_key(t, field, EIGHT);
  reg_put_little(t, bits, 8);
}

void reg_protobuf_bytes(Text *t, int field, const void *bytes, size_t count) {
  put_key(t, field, COUNTED);
  put_varint(t, count);
  reg_text_bytes(t, bytes, count);
}

void reg_protobuf_text(Text *t, int field, const char *s) { reg_protobuf_bytes(t, field, s, strlen(s)); }

void reg_protobuf_message(Text *t, int field, Text *message) {
  reg_protobuf_bytes(t, field, message->data ? message->data : "", message->used);
  t->failed |= message->failed;
  reg_text_free(message);
}
