#!/usr/bin/env python3
"""Dates and times as columns have them, read by Python's datetime.strptime with the format that a column is written in, and by pandas
(dateutil), which finds the form itself. Run by hand (Debian's python3-pandas), it writes dates.json; the tests read that. Where both read a
column, they agree, but for what is listed below."""
import datetime
import json
import random
import warnings
from pathlib import Path

VALUES = Path(__file__).with_name("dates.json")
UTC = datetime.timezone.utc
PARTS = ("year", "month", "day", "weekday", "yearday", "hour", "minute", "second", "time")

# strptime's format, the order that has to be said (None: the form or the column tells it), and whether pandas is asked too: with two digits
# it takes another century for some years, it takes no zone of `%z` without a sign, and the log format is none of its own.
FORMS = [
    ("%Y-%m-%d", None, True), ("%Y/%m/%d", None, True), ("%Y.%m.%d", None, True), ("%Y%m%d", None, True), ("%Y-%m", None, True), ("%d.%m.%Y", None, False),
    ("%m/%d/%Y", None, True), ("%d/%m/%Y", None, False), ("%m-%d-%Y", None, True), ("%d-%m-%Y", None, False), ("%m/%d/%y", None, False), ("%d.%m.%y", None, False),
    ("%m/%d/%Y", "mdy", True), ("%d/%m/%y", "dmy", False), ("%y-%m-%d", "ymd", False), ("%m.%d.%Y", "mdy", True),
    ("%b %d, %Y", None, True), ("%d %b %Y", None, True), ("%d-%b-%Y", None, True), ("%d-%b-%y", None, False), ("%d%b%Y", None, True), ("%B %d, %Y", None, True),
    ("%d %B %Y", None, True), ("%a, %d %b %Y %H:%M:%S GMT", None, True), ("%A, %B %d, %Y", None, True), ("%Y-%b-%d", None, True), ("%b %Y", None, True),
    ("%Y-%m-%d %H:%M", None, True), ("%Y-%m-%dT%H:%M:%S", None, True), ("%Y-%m-%dT%H:%M:%SZ", None, True), ("%Y-%m-%dT%H:%M:%S.%f", None, True),
    ("%Y-%m-%dT%H:%M:%S%z", None, True), ("%Y-%m-%d %H:%M:%S.%f%z", None, True), ("%Y-%m-%d %H:%M:%S %z", None, True), ("%Y%m%dT%H%M%SZ", None, True), ("%Y%m%dT%H%M", None, True),
    ("%m/%d/%Y %I:%M %p", None, True), ("%m/%d/%Y, %I:%M:%S %p", None, True), ("%d.%m.%Y %H:%M", None, False), ("%d/%b/%Y:%H:%M:%S %z", None, False),
    ("%b %d %Y %I:%M%p", None, True), ("%d %B %Y, %H:%M", None, True), ("%Y-%m-%d %I %p", None, True),
]
ZONES = [datetime.timezone(datetime.timedelta(minutes=m)) for m in (0, 60, 120, -300, 330, -210, 765)]


def parts(at):
    """Of the clock as it is written, and seconds since 1970 in UTC."""
    t = at.replace(tzinfo=at.tzinfo or UTC)
    return [at.year, at.month, at.day, at.weekday(), at.timetuple().tm_yday, at.hour, at.minute, at.second + at.microsecond / 1e6,
            (t - datetime.datetime(1970, 1, 1, tzinfo=UTC)) / datetime.timedelta(seconds=1)]


def moments(draw, form):
    """Some; a day above 12 is among them."""
    first, last = datetime.datetime(1970, 1, 1), datetime.datetime(2068, 12, 31)
    for k in range(8):
        at = first + datetime.timedelta(microseconds=draw.randrange((last - first) // datetime.timedelta(microseconds=1)))
        if k == 0:
            at = at.replace(day=28)
        if k == 1:
            at = datetime.datetime(2024, 2, 29, 0, 5, 9)
        if k == 2:
            at = datetime.datetime(2000, 12, 31, 12, 0)
        yield at.replace(tzinfo=draw.choice(ZONES)) if "%z" in form else at


def main():
    import pandas
    warnings.simplefilter("ignore")
    draw, columns = random.Random(11), []
    for form, order, by_pandas in FORMS:
        texts = [at.strftime(form) for at in moments(draw, form)]
        if order is not None and form != "%y-%m-%d":
            texts = [t for t in texts if all(int(p) <= 12 for p in t.replace("/", ".").split(".")[:2])] + ["03/04/2024".replace("/", form[2]) if "Y" in form else "03/04/24"]
        read = [datetime.datetime.strptime(t, form) for t in texts]
        for t, at in zip(texts, read):
            again = pandas.to_datetime(t, dayfirst=False).to_pydatetime() if by_pandas else at
            assert parts(again) == parts(at), (t, again, at)
        columns.append({"form": form, "order": order, "texts": texts, "parts": [parts(at) for at in read]})
    VALUES.write_text("[\n" + ",\n".join(json.dumps(c) for c in columns) + "\n]\n")


if __name__ == "__main__":
    main()
