// Dates and times of day. In: a text, and the order of day, month and year in the column that it is of. Out:
// its parts as numbers, in the proleptic Gregorian calendar, as the text has them; the time is that of UTC,
// where a zone stands behind it. Dates are written 2024-03-01, 2024/03/01, 2024.03.01, 20240301, 2024-03;
// with the month by its English name, Mar 1, 2024, 01-Mar-24, Fri, 1 March 2024; or as three numbers whose
// order the text does not tell: 03/01/2024, 1.3.24. Of two digits, 69 to 99 are 1969 to 1999, 00 to 68 2000
// to 2068 (POSIX, strptime).
#include "data/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const reg_date_part_names[REG_DATE_PARTS] = {"year", "month",  "day",    "weekday", "yearday",
                                                         "hour", "minute", "second", "time"};

const char *const reg_date_order_names[REG_DATE_ORDERS] = {"", "mdy", "dmy", "ymd"};

static const char *const months[] = {"january", "february", "march",     "april",   "may",      "june",
                                     "july",    "august",   "september", "october", "november", "december"};
static const char *const weekdays[] = {"monday", "tuesday",  "wednesday", "thursday",
                                       "friday", "saturday", "sunday"};

static const char *const no_date = "is no date such as 2024-03-01, 1.3.2024, 03/28/2024 or Mar 1, 2024",
                         *const no_day = "names a day that the calendar does not have",
                         *const no_order = "can be month first or day first";

typedef struct Moment {
  int year, month, day;
  int weekday; // that the text names, or -1
  bool named;  // the month is
  bool open;   // the text does not tell the order of three numbers
  int hour, minute;
  double second;
  int zone; // minutes before UTC
} Moment;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }

// So many digits at *at, which is moved behind them; -1: there are not.
static int digits(const char **at, int least, int most) {
  int value = 0, n = 0;
  for (; n < most && is_digit((*at)[n]); n++) value = 10 * value + ((*at)[n] - '0');
  if (n < least) return -1;
  *at += n;
  return value;
}

static int count_digits(const char *at) {
  int n = 0;
  while (n < 20 && is_digit(at[n])) n++;
  return n;
}

static void skip_spaces(const char **at) { *at += strspn(*at, " "); }

// Which of the names stands here, whole or its first three letters or more; -1: none.
static int name_at(const char **at, const char *const *names, int count) {
  size_t n = 0;
  while (is_letter((*at)[n])) n++;
  for (int i = 0; i < count && n >= 3; i++) {
    size_t same = 0;
    while (same < n && lower((*at)[same]) == names[i][same]) same++;
    if (same < n) continue;
    *at += n;
    return i;
  }
  return -1;
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

// -- the day

// A year of n digits, four or two; -1: it is none.
static int year_of(int n, int year) {
  return n == 4 ? year : n != 2 ? -1 : year < 69 ? 2000 + year : 1900 + year;
}

static int read_year(const char **at) {
  const int n = count_digits(*at);
  return year_of(n, n == 2 || n == 4 ? digits(at, n, n) : -1);
}

// 1st, 2nd, 3rd, 4th; a point.
static void skip_ending(const char **at) {
  static const char *const endings[] = {"st", "nd", "rd", "th"};
  for (int i = 0; i < 4; i++)
    if (lower((*at)[0]) == endings[i][0] && lower((*at)[1]) == endings[i][1] && !is_letter((*at)[2])) {
      *at += 2;
      break;
    }
  *at += **at == '.';
}

// What stands between the parts of a date with a name in it.
static void skip_between(const char **at) {
  skip_spaces(at);
  *at += **at == '-' || **at == '/' || **at == ',';
  skip_spaces(at);
}

static const char *read_month(const char **at, Moment *m) {
  m->named = true;
  m->month = name_at(at, months, 12) + 1;
  *at += **at == '.';
  skip_between(at);
  return m->month ? NULL : no_date;
}

// Mar 1, 2024; Mar 2024.
static const char *read_named(const char **at, Moment *m) {
  if (read_month(at, m)) return no_date;
  m->day = 1;
  if (count_digits(*at) != 4) {
    m->day = digits(at, 1, 2);
    skip_ending(at);
    skip_between(at);
  }
  m->year = read_year(at);
  return m->day < 0 || m->year < 0 ? no_date : NULL;
}

// 2024-03-01, 2024-Mar-01, 2024-03.
static const char *read_year_first(const char **at, Moment *m) {
  m->year = digits(at, 4, 4);
  m->day = 1;
  const char mark = **at;
  if (!mark || !strchr("-/. ", mark)) return no_date;
  ++*at;
  if (is_letter(**at)) {
    if (read_month(at, m)) return no_date;
    m->day = digits(at, 1, 2);
    return m->day < 0 ? no_date : NULL;
  }
  m->month = digits(at, 1, 2);
  if (mark == ' ' || m->month < 0) return no_date;
  if (!**at) return mark == '.' ? no_date : NULL;
  if (*(*at)++ != mark) return no_date;
  m->day = digits(at, 1, 2);
  return m->day < 0 ? no_date : NULL;
}

// Three numbers by the order.
static const char *read_open(const char **at, reg_date_order order, Moment *m) {
  static const char *const wrong[] = {NULL, "is no date with the month first",
                                      "is no date with the day first", "is no date with the year first"};
  int a[3], n[3];
  char mark = 0;
  for (int i = 0; i < 3; i++) {
    n[i] = count_digits(*at);
    a[i] = digits(at, 1, 4);
    if (a[i] < 0 || n[i] > (i < 2 ? 2 : 4)) return no_date;
    if (i < 2 && (!**at || !strchr("-/.", **at) || (i && **at != mark))) return no_date;
    if (i < 2) mark = *(*at)++;
  }
  m->open = true;
  if (!order && mark != '.') return no_order;
  if (!order) order = REG_ORDER_DMY;
  const int year = order == REG_ORDER_YMD ? 0 : 2, month = order == REG_ORDER_MDY ? 0 : 1,
            day = 3 - year - month;
  m->year = year_of(n[year], a[year]);
  if (m->year < 0 || n[day] > 2) return wrong[order];
  m->month = a[month];
  m->day = a[day];
  return m->month >= 1 && m->month <= 12 && m->day <= 31 ? NULL : wrong[order];
}

// 1 Mar 2024, 01-Mar-24, 01Mar2024; else three numbers.
static const char *read_day_first(const char **at, reg_date_order order, Moment *m) {
  const char *name = *at;
  m->day = digits(&name, 1, 2);
  skip_ending(&name);
  skip_between(&name);
  if (!is_letter(*name)) return read_open(at, order, m);
  *at = name;
  if (read_month(at, m)) return no_date;
  m->year = read_year(at);
  return m->year < 0 ? no_date : NULL;
}

static const char *read_compact(const char **at, Moment *m) {
  m->year = digits(at, 4, 4);
  m->month = digits(at, 2, 2);
  m->day = digits(at, 2, 2);
  return NULL;
}

static const char *read_day(const char **at, reg_date_order order, Moment *m) {
  m->weekday = name_at(at, weekdays, 7);
  if (m->weekday >= 0) {
    *at += **at == '.';
    skip_between(at);
  }
  const int n = count_digits(*at);
  const char *wrong = is_letter(**at)    ? read_named(at, m)
                      : n == 8           ? read_compact(at, m)
                      : n == 4           ? read_year_first(at, m)
                      : n == 1 || n == 2 ? read_day_first(at, order, m)
                                         : no_date;
  if (wrong) return wrong;
  return m->year >= 1 && m->month >= 1 && m->month <= 12 && m->day >= 1 &&
                 m->day <= month_days(m->year, m->month)
             ? NULL
             : no_day;
}

// -- the time

// AM or PM, a.m. or p.m.: 0 or 12; -1: neither.
static int half_day(const char **at) {
  const char *p = *at;
  skip_spaces(&p);
  const char half = lower(*p);
  if (half != 'a' && half != 'p') return -1;
  p += p[1] == '.' ? 2 : 1;
  if (lower(*p) != 'm') return -1;
  p += p[1] == '.' ? 2 : 1;
  if (is_letter(*p)) return -1;
  *at = p;
  return half == 'a' ? 0 : 12;
}

static void read_fraction(const char **at, double *second) {
  double value = 0, whole = 1;
  if (**at != '.' && **at != ',') return;
  for (++*at; is_digit(**at); ++*at)
    if (whole < 1e15) {
      value = 10 * value + (**at - '0');
      whole *= 10;
    }
  *second += value / whole;
}

// What stands between day and time was passed; `compact`: colons may be left out.
static bool read_clock(const char **at, bool compact, Moment *m) {
  const int n = count_digits(*at);
  m->hour = digits(at, 1, 2);
  int minute = 0, second = 0;
  bool more = **at == ':';
  if (compact && (n == 4 || n == 6)) {
    minute = digits(at, 2, 2);
    second = n == 6 ? digits(at, 2, 2) : 0;
    more = false;
  } else if (more) {
    ++*at;
    minute = digits(at, 2, 2);
    if (**at == ':') {
      ++*at;
      second = digits(at, 2, 2);
    }
  }
  m->minute = minute;
  m->second = second;
  read_fraction(at, &m->second);
  const int half = half_day(at);
  if (m->hour < 0 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
  if (half < 0) return m->hour <= 23 && (more || n > 2);
  if (m->hour < 1 || m->hour > 12) return false;
  m->hour = m->hour % 12 + half;
  return true;
}

static bool read_time(const char **at, Moment *m) {
  const bool mark = lower(**at) == 't';
  if (!**at || lower(**at) == 'z') return true;
  if (mark || (**at == ':' && m->named)) {
    ++*at;
  } else {
    *at += **at == ',';
    if (**at != ' ') return false;
    skip_spaces(at);
  }
  return is_digit(**at) && read_clock(at, mark, m);
}

// Z, UTC, GMT, or how far its clocks are before those of UTC: +02:00, +0200, +02.
static bool read_zone(const char **at, Moment *m) {
  static const char *const utc[] = {"utc", "gmt"};
  const char *p = *at;
  skip_spaces(&p);
  const char sign = *p;
  if (!sign) return true;
  if (lower(sign) == 'z' && !is_letter(p[1])) {
    p++;
  } else if (sign == '+' || sign == '-') {
    p++;
    const int hours = digits(&p, 2, 2);
    const bool more = *p == ':' || is_digit(*p);
    p += *p == ':';
    const int minutes = more ? digits(&p, 2, 2) : 0;
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return false;
    m->zone = (sign == '-' ? -1 : 1) * (60 * hours + minutes);
  } else if (name_at(&p, utc, 2) < 0) {
    return !is_letter(sign);
  }
  *at = p;
  return true;
}

// -- both

static const char *read_moment(const char *text, reg_date_order order, Moment *m) {
  *m = (Moment){0};
  const char *wrong = read_day(&text, order, m);
  if (wrong) return wrong;
  if (is_digit(*text)) return no_date;
  if (!read_time(&text, m)) return "has no time such as 12:30, 12:30:00 or 3:04 PM behind the date";
  if (!read_zone(&text, m)) return "has a zone that is none of Z, UTC, GMT and offsets such as +02:00";
  return *text ? "goes on behind its date and time" : NULL;
}

static const char *parts_of(const Moment *m, double parts[REG_DATE_PARTS]) {
  int yearday = m->day;
  for (int month = 1; month < m->month; month++) yearday += month_days(m->year, month);
  const int64_t days = days_before(m->year) + yearday - 1;
  const int weekday = (int)(((days + 3) % 7 + 7) % 7);
  if (m->weekday >= 0 && m->weekday != weekday) return "is not on the weekday that it names";
  const double values[REG_DATE_PARTS] = {
      [REG_DATE_YEAR] = m->year,
      [REG_DATE_MONTH] = m->month,
      [REG_DATE_DAY] = m->day,
      [REG_DATE_WEEKDAY] = weekday,
      [REG_DATE_YEARDAY] = yearday,
      [REG_DATE_HOUR] = m->hour,
      [REG_DATE_MINUTE] = m->minute,
      [REG_DATE_SECOND] = m->second,
      [REG_DATE_TIME] = (double)(86400 * days + 3600 * m->hour + 60 * (m->minute - m->zone)) + m->second,
  };
  memcpy(parts, values, sizeof values);
  return NULL;
}

// -- a column's order

// The orders by which it is a date, as bits; *open: it tells none by itself.
static unsigned orders_of(const char *text, bool *open) {
  unsigned fit = 0;
  *open = false;
  for (reg_date_order o = REG_ORDER_MDY; o < REG_DATE_ORDERS; o++) {
    Moment m;
    fit |= (unsigned)!read_moment(text, o, &m) << o;
    *open = m.open;
    if (!m.open) return 0;
  }
  return fit;
}

const char *date_parse(const char *text, reg_date_order order, double parts[REG_DATE_PARTS]) {
  Moment m;
  bool open;
  const char *wrong = read_moment(text, order, &m);
  if (wrong == no_order && !orders_of(text, &open)) wrong = no_day;
  return wrong ? wrong : parts_of(&m, parts);
}

DateOrder dates_order(const char *const *texts, int64_t count) {
  const unsigned all = 1U << REG_ORDER_MDY | 1U << REG_ORDER_DMY | 1U << REG_ORDER_YMD;
  unsigned fit = all;
  DateOrder found = {.text = -1};
  int64_t narrowed = -1;
  int64_t first[2] = {-1, -1}; // that needs the order, with other marks and with points
  for (int64_t k = 0; k < count; k++) {
    bool open;
    const unsigned own = orders_of(texts[k], &open);
    if (!open || !own) continue;
    if (!(fit & own)) return (DateOrder){.text = k, .other = narrowed, .clash = true};
    if (fit & ~own) narrowed = k;
    fit &= own;
    int64_t *of_mark = &first[texts[k][strcspn(texts[k], "/-.")] == '.'];
    if (*of_mark < 0) *of_mark = k;
    if (found.text < 0) found.text = k;
  }
  if (found.text < 0) return found;
  for (reg_date_order o = REG_ORDER_MDY; o < REG_DATE_ORDERS; o++)
    if (fit == 1U << o) found.order = o;
  if (!found.order && first[0] < 0) found.order = REG_ORDER_DMY;
  // With points the day is first, unless the column has other dates nowhere.
  if (found.order == REG_ORDER_DMY || first[0] < 0 || first[1] < 0) return found;
  return (DateOrder){.text = first[1], .other = first[0], .clash = true};
}
