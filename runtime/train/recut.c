// BPE dropout: texts of a batch cut into tokens anew. In: rows of data whose merges are passed over at times,
// the number of the step. Out: their fields in the slots of a function. Draws are keyed by seed, step and
// row, so that they depend on nothing else.
#include "data/encoder.h"
#include "reg/rng.h"
#include "train/internal.h"
#include <stdlib.h>
#include <string.h>

static int32_t *slot_of(const Bound *b, reg_slot_kind kind, int index) {
  for (int i = 0; i < b->f->nslots; i++)
    if (b->f->slots[i].kind == kind && b->f->slots[i].index == index) return b->slots[i];
  return NULL;
}

int texts_recut(const Training *t, const Bound *b, const reg_dataset *d, const RecutPlace *at,
                const int64_t *rows, int64_t count) {
  for (int k = 0; k < d->ntexts; k++) {
    const reg_tokenizer *text = &d->texts[k];
    if (!text->recut) continue;
    int32_t *x = slot_of(b, at->kind, at->first + text->field),
            *next = text->next < 0 ? NULL : slot_of(b, at->kind, at->first + text->next),
            *length = text->length < 0 ? NULL : slot_of(b, at->kind, at->first + text->length),
            *unread = x ? NULL : malloc((size_t)text->places * sizeof *unread);
    if (!x && !unread) return reg_no_memory(t->run->st, (size_t)text->places * sizeof *unread);
    int code = REG_OK;
    for (int64_t i = 0; i < count && !code && (x || next || length); i++) {
      Drops drops = {.share = text->drop,
                     .seed = t->full_seed,
                     .stream = REG_STREAM_PIECES + (uint32_t)at->which,
                     .step = (uint32_t)t->step,
                     .row = text->recut->key[rows[i]]};
      code = recut_row(text, text->recut, rows[i], &drops, x ? x + i * text->places : unread,
                       next ? next + i * text->places : NULL, length ? length + i : NULL);
    }
    free(unread);
    if (code) return reg_no_memory(t->run->st, (size_t)text->places * sizeof *unread);
  }
  return REG_OK;
}

int step_gather(const Training *t, const Bound *b, const int64_t *rows, int64_t count) {
  const int code = bound_gather(t, b, rows, count);
  return code      ? code
         : t->data ? texts_recut(t, b, t->data, &(RecutPlace){.kind = REG_SLOT_FIELD}, rows, count)
                   : REG_OK;
}
