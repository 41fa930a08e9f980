// Dates and times of day. In: a text, YYYY-MM-DD, YYYY/MM/DD or DD.MM.YYYY, with HH:MM, HH:MM:SS or
// HH:MM:SS.FFF behind it or not. Out: its parts as numbers, in the proleptic Gregorian calendar, without
// zones: a Z behind it is passed over.
#include "data/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const reg_date_part_names[REG_DATE_PARTS] = {"year", "month",  "day",    "weekday", "yearday",
                                                         "hour", "minute", "second", "time"};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

// So many digits at *at, which is moved behind them; -1: there are not.
static int digits(const char **at, int least, int most) {
  int value = 0, n = 0;
  for (; n < most && is_digit(**at); n++) value = 10 * value + (*(*at)++ - '0');
  return n < least ? -1 : value;
}

static bool leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

static int month_days(int year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month - 1] + (month == 2 && leap(year));
}

// Days from 1970-01-01.
static int64_t days_before(int year) {
  const int64_t y = (int64_t)year - 1;
  return 365 * y + y / 4 - y / 100 + y / 400 - 719162;
}

static bool read_day(const char **at, int *year, int *month, int *day) {
  const char *first = *at;
  int a = digits(at, 1, 4);
  const char mark = **at;
  const bool year_first = *at - first == 4;
  if (a < 0 || (year_first ? mark != '-' && mark != '/' : mark != '.')) return false;
  (*at)++;
  *month = digits(at, 1, 2);
  if (*month < 1 || *month > 12 || **at != mark) return false;
  (*at)++;
  int b = digits(at, year_first ? 1 : 4, year_first ? 2 : 4);
  *year = year_first ? a : b;
  *day = year_first ? b : a;
  return b >= 0 && *year >= 1 && *day >= 1 && *day <= month_days(*year, *month);
}

static bool read_time(const char **at, int *hour, int *minute, double *second) {
  if (**at != 'T' && **at != ' ') return true;
  (*at)++;
  *hour = digits(at, 1, 2);
  if (*hour < 0 || *hour > 23 || **at != ':') return false;
  (*at)++;
  *minute = digits(at, 2, 2);
  if (*minute < 0 || *minute > 59) return false;
  if (**at != ':') return true;
  (*at)++;
  const int whole = digits(at, 2, 2);
  *second = whole;
  if (**at == '.' || **at == ',') {
    double place = 0.1;
    for (++*at; is_digit(**at); place /= 10) *second += place * (*(*at)++ - '0');
  }
  return whole >= 0 && whole < 60;
}

const char *date_parse(const char *text, double parts[REG_DATE_PARTS]) {
  int year, month, day, hour = 0, minute = 0;
  double second = 0;
  if (!read_day(&text, &year, &month, &day)) return "is no date such as 2024-03-01 or 1.3.2024";
  if (!read_time(&text, &hour, &minute, &second))
    return "has no time such as 12:30 or 12:30:00 behind the date";
  text += *text == 'Z';
  if (*text) return "goes on behind its date and time";
  int yearday = day;
  for (int m = 1; m < month; m++) yearday += month_days(year, m);
  const int64_t days = days_before(year) + yearday - 1;
  const double values[REG_DATE_PARTS] = {
      [REG_DATE_YEAR] = year,
      [REG_DATE_MONTH] = month,
      [REG_DATE_DAY] = day,
      [REG_DATE_WEEKDAY] = (double)(((days + 3) % 7 + 7) % 7),
      [REG_DATE_YEARDAY] = yearday,
      [REG_DATE_HOUR] = hour,
      [REG_DATE_MINUTE] = minute,
      [REG_DATE_SECOND] = second,
      [REG_DATE_TIME] = (double)(86400 * days + 3600 * hour + 60 * minute) + second,
  };
  memcpy(parts, values, sizeof values);
  return NULL;
}
