// Events as records of TensorBoard's event files: TFRecord frames (length, its CRC-32C, bytes, their CRC-32C)
// of Event messages (tensorflow/core/util/event.proto).
#ifndef REG_TENSORBOARD_H
#define REG_TENSORBOARD_H
#include "train.h"

struct Text;
void reg_tensorboard_begin(struct Text *o, double seconds); // the record that a file begins with
// How many of a file's bytes its first `count` records have, or those that are whole.
size_t reg_tensorboard_first(const char *bytes, size_t size, int64_t count);
// One record: the numbers of an event, at this time (seconds since 1970), as scalars: "net/loss",
// "net/valid/accuracy", "digits.test/net/accuracy", "path/e.mse". Their step is the update, the act of an
// evaluation, the number of a run of a sweep. None where it has none.
void reg_tensorboard_event(struct Text *o, const reg_event *e, double seconds);
#endif
