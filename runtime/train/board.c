// TensorBoard's event file in the run's folder: a record for each line of metrics.jsonl but starts of
// trainings, so that a run that goes on keeps as many of them as of these lines.
#include "reg/file.h"
#include "reg/tensorboard.h"
#include "train/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

static double since_1970(void) {
  struct timeval now;
  gettimeofday(&now, NULL);
  return (double)now.tv_sec + 1e-6 * (double)now.tv_usec;
}

static void put(Run *r, Text *record) {
  if (record->failed) r->write_error = ENOMEM;
  if (!r->write_error) r->write_error = reg_file_put(r->board, record->data, record->used);
  reg_text_free(record);
}

static int keep_records(Run *r, const char *path) {
  size_t size = 0;
  if (access(path, F_OK) != 0) return REG_OK;
  char *bytes = reg_file_read(path, &size, "metrics_missing", r->st);
  if (!bytes) return r->st->code;
  const size_t kept = reg_tensorboard_first(bytes, size, r->told);
  free(bytes);
  return truncate(path, (off_t)kept) != 0 ? reg_cannot_write(r->st, path, errno) : REG_OK;
}

int board_open(Run *r) {
  char *path = NULL;
  if (!r->options->tensorboard) return REG_OK;
  if (asprintf(&path, "%s/events.out.tfevents.regc", r->folder) < 0) return reg_no_memory(r->st, 0);
  int code = r->options->resume ? keep_records(r, path) : REG_OK;
  if (!code) {
    r->board =
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (r->options->resume ? 0 : O_TRUNC), 0666);
    if (r->board < 0) code = reg_cannot_write(r->st, path, errno);
  }
  free(path);
  if (!code && lseek(r->board, 0, SEEK_END) == 0) {
    Text first = {0};
    reg_tensorboard_begin(&first, since_1970());
    put(r, &first);
  }
  return code;
}

void board_put(Run *r, const reg_event *e) {
  Text record = {0};
  if (r->board < 0 || e->kind == REG_EVENT_TRAIN_START) return;
  reg_tensorboard_event(&record, e, since_1970());
  put(r, &record);
}

void board_close(Run *r) {
  if (r->board >= 0 && close(r->board) != 0 && !r->write_error) r->write_error = errno;
  r->board = -1;
}
