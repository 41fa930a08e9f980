#include "reg/tensorboard.h"
#include "text/protobuf.h"
#include <string.h>

// -- frames

// CRC-32C (Castagnoli), reflected; masked as TFRecord has it.
static uint32_t masked_crc(const char *bytes, size_t count) {
  uint32_t crc = ~0U;
  for (size_t i = 0; i < count; i++) {
    crc ^= (unsigned char)bytes[i];
    for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78U : 0);
  }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xA282EAD8U;
}

static void put_record(Text *o, Text *event) {
  const char *bytes = event->data ? event->data : "";
  const size_t begin = o->used;
  reg_put_little(o, event->used, 8);
  if (!o->failed) reg_put_little(o, masked_crc(o->data + begin, 8), 4);
  reg_text_bytes(o, bytes, event->used);
  reg_put_little(o, masked_crc(bytes, event->used), 4);
  o->failed |= event->failed;
  reg_text_free(event);
}

// -- messages

enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SIMPLE = 2 };

static Text event_at(double seconds, int64_t step) {
  Text event = {0};
  reg_protobuf_double(&event, EVENT_TIME, seconds);
  if (step > 0) reg_protobuf_integer(&event, EVENT_STEP, step);
  return event;
}

void reg_tensorboard_begin(Text *o, double seconds) {
  Text event = event_at(seconds, 0);
  reg_protobuf_text(&event, EVENT_VERSION, "brain.Event:2");
  put_record(o, &event);
}

size_t reg_tensorboard_first(const char *bytes, size_t size, int64_t count) {
  size_t at = 0;
  for (int64_t i = 0; i < count && size - at >= 16; i++) {
    uint64_t length = 0;
    for (int k = 7; k >= 0; k--) length = length << 8 | (unsigned char)bytes[at + (size_t)k];
    if (length > size - at - 16) break;
    at += 16 + length;
  }
  return at;
}

// "GROUP/PART/NAME", without what is NULL; from the second act on "GROUP #2/…".
static void put_scalar(Text *summary, const char *group, int64_t act, const char *part, const char *name,
                       double v) {
  Text value = {0}, tag = {0};
  reg_text_add(&tag, group);
  if (act > 1) reg_text_format(&tag, " #%lld", (long long)act);
  if (part) reg_text_format(&tag, "/%s", part);
  reg_text_format(&tag, "/%s", name);
  reg_protobuf_text(&value, VALUE_TAG, tag.data ? tag.data : "");
  reg_protobuf_float(&value, VALUE_SIMPLE, (float)v);
  reg_protobuf_message(summary, SUMMARY_VALUE, &value);
  summary->failed |= tag.failed;
  reg_text_free(&tag);
}

static void put_epoch(Text *s, const reg_event *e) {
  const reg_train *t = e->train;
  const int terms = t->nterms - t->nlogs;
  put_scalar(s, t->name, e->act, NULL, "loss", e->loss);
  put_scalar(s, t->name, e->act, NULL, "objective", e->objective);
  for (int i = 0; e->terms && i < t->nterms; i++)
    put_scalar(s, t->name, e->act, i < terms ? "terms" : "logs", t->terms[i], e->terms[i]);
  for (int i = t->sums_terms ? 1 : 0; e->norms && i <= terms; i++)
    put_scalar(s, t->name, e->act, "gradients", i ? t->terms[i - 1] : "loss", e->norms[i]);
  for (int i = 0; e->schedules && i < t->nschedules; i++)
    put_scalar(s, t->name, e->act, "schedules", t->schedules[i], e->schedules[i]);
  if (!e->has_valid) return;
  put_scalar(s, t->name, e->act, "valid", "loss", e->valid_loss);
  for (int i = 0; e->valid_metrics && i < t->nmetrics; i++)
    put_scalar(s, t->name, e->act, "valid", t->metrics[i], e->valid_metrics[i]);
}

static void put_evaluation(Text *s, const reg_event *e) {
  const reg_evaluate *v = e->evaluate;
  for (int i = 0; i < v->nmetrics; i++)
    if (v->metric[i].rank == 0)
      put_scalar(s, v->data_name, 1, v->model, v->metric[i].name,
                 reg_number_at(e->values[i], e->program->dtype, 0));
}

static void put_run(Text *s, const reg_event *e) {
  for (int i = 0; !e->status && i < e->sweep->nkept; i++) {
    const reg_kept *k = &e->sweep->kept[i];
    if (k->column)
      put_scalar(s, e->sweep->name, e->act, NULL, k->name,
                 reg_number_at(e->values[i], e->program->store[k->to].dtype, e->run));
  }
}

static void put_report(Text *s, const reg_event *e) {
  const reg_report *r = e->report;
  if (e->view || r->nwords) return;
  for (int i = 0; i < r->nvalues; i++) {
    const reg_tensor *t = &e->program->store[r->values[i]];
    if (t->rank == 0)
      put_scalar(s, "report", 1, *r->paths[i] ? e->name : NULL, *r->paths[i] ? r->paths[i] : e->name,
                 reg_number_at(e->values[i], t->dtype, 0));
  }
}

void reg_tensorboard_event(Text *o, const reg_event *e, double seconds) {
  Text summary = {0};
  int64_t step = 0;
  switch (e->kind) {
  case REG_EVENT_EPOCH: put_epoch(&summary, e), step = e->step; break;
  case REG_EVENT_EVALUATE: put_evaluation(&summary, e), step = e->act; break;
  case REG_EVENT_RUN: put_run(&summary, e), step = e->run; break;
  case REG_EVENT_REPORT: put_report(&summary, e); break;
  default: break;
  }
  Text event = event_at(seconds, step);
  reg_protobuf_message(&event, EVENT_SUMMARY, &summary);
  put_record(o, &event);
}
