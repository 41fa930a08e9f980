// Private to lower/: data sets that were made, by what they are called.
#ifndef LOWER_MADE_H
#define LOWER_MADE_H
#include "value.h"

// While data is made, what it reads of the sweep around is noted.
typedef struct Making {
  int first; // of l->axis_reads
} Making;
Making made_begin(Lowered *l);
void made_end(Lowered *l, Making m);
// A name that may be an axis was read.
void made_reads(Lowered *l, const char *name);
// What was read since then; whether it is the same still, and then it is read again.
AxisReads made_since(const Lowered *l, Making m);
bool made_still(Lowered *l, const AxisReads *reads);

const DataMade *made_find(Lowered *l, const char *name); // NULL: it is not made, or otherwise
bool made_as(const Lowered *l, int dataset, const char *name);
// Its index. One name stands for one table, so it may be called otherwise from here on.
int made_put(Lowered *l, const char *name, reg_dataset *set, reg_data_plan plan);
void made_failed(Lowered *l, const char *name);
// Those that failed since Lowered.made had this length are made anew when they are asked for.
void made_forget(Lowered *l, int first);
#endif
