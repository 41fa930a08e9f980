// What a program costs before it runs.
#ifndef DRIVER_SUMMARY_H
#define DRIVER_SUMMARY_H
#include "program_table.h"

void summary_print(ProgramTable *t, FILE *out); // the functions it tells of have been planned
// Reports too_large where the free memory does not hold a training; plans the step of each.
int memory_check(ProgramTable *t);
#endif
