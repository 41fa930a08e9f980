// The working memory of library calls, by the last column of reg/calls.def.
#include "calls.h"
#include <reg/abi.h>

int64_t call_work(const Node *n) {
  const Node *x = n->in[0], *y = n->nin > 1 ? n->in[1] : NULL;
  (void)x, (void)y;
#define CALL(op, symbol, result, arguments, work)                                                            \
  case OP_##op: return work;
  switch (n->op) {
#include <reg/calls.def>
  default: ice("loops", "no library call for %s", op_info[n->op].text);
  }
#undef CALL
}
