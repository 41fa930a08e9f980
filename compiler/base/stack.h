// How much of the stack of the thread that asks is used: whoever recurses over a program as deep as it is
// asks here.
#ifndef BASE_STACK_H
#define BASE_STACK_H
#include <stdbool.h>

void stack_open(
    void); // of the main thread: notes where its stack starts, and raises its limit; later calls do nothing
bool stack_is_deep(void); // almost all of it is used: go no deeper
#endif
