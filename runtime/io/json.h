// What jansson leaves to its callers.
#ifndef REG_JSON_H
#define REG_JSON_H
#include <jansson.h>
#include <stdbool.h>

// Did reading fail for want of memory? What is wrong with a text has a name. `e` was 0 before.
static inline bool json_out_of_memory(const json_error_t *e) {
  const enum json_error_code code = json_error_code(e);
  return code == json_error_out_of_memory || code == json_error_unknown;
}
#endif
