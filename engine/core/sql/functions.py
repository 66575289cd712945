"""The functions that SQL on a page may call, each with the sentence the reference prints."""

from __future__ import annotations

OWN = {
    "date_diff": "date_diff('day', from, to): whole days, hours, minutes or seconds between times, cut towards 0.",
    "date_trunc": "date_trunc('month', time): the start of its year, quarter, month, week, day, hour, minute, second.",
    "sha256": "sha256(text): the SHA-256 of the text's UTF-8 bytes, as 64 hexadecimal digits.",
    "host": "host(url): the host in lower case, without a port 80 or 443 and without a dot at its end.",
    "path_template": (
        "path_template(path): the path without query string and slash at its end, variables {x} and :x written {}."
    ),
    "matches": "matches(text, pattern): whether the regular expression is found anywhere in the text.",
    "list_contains": "list_contains(list, value): whether the value is in the list.",
    "list_length": "list_length(list): how many values the list has.",
    "list_join": "list_join(list, separator): the values of the list as one text.",
}
"""Ours: Polars SQL has no such word, or one that works in a query and not in an expression."""

SCALAR = OWN | {
    "abs": "abs(number): without its sign.",
    "array_contains": "array_contains(list, value): whether the value is in the list.",
    "array_length": "array_length(list): how many values the list has.",
    "array_reverse": "array_reverse(list): the list from its end to its start.",
    "array_to_string": "array_to_string(list, separator): the values of the list as one text.",
    "array_unique": "array_unique(list): the list with each value once.",
    "ceil": "ceil(number): the next whole number above.",
    "coalesce": "coalesce(a, b, …): the first that is not null.",
    "concat": "concat(a, b, …): the texts in a row; null counts as empty (|| gives null).",
    "concat_ws": "concat_ws(separator, a, b, …): the texts that are not null with a separator between.",
    "date_part": "date_part('year', time): one part of a time, as extract(year FROM time).",
    "ends_with": "ends_with(text, end): whether the text ends so.",
    "exp": "exp(number): e to that power.",
    "floor": "floor(number): the next whole number below.",
    "greatest": "greatest(a, b, …): the largest that is not null.",
    "ifnull": "ifnull(a, b): a, or b where a is null.",
    "initcap": "initcap(text): each word with a capital.",
    "least": "least(a, b, …): the smallest that is not null.",
    "left": "left(text, n): the first n characters.",
    "length": "length(text): how many characters.",
    "ln": "ln(number): the natural logarithm.",
    "log10": "log10(number): the logarithm to base 10.",
    "lower": "lower(text): in lower case.",
    "lpad": "lpad(text, n, fill): filled at its start to n characters.",
    "ltrim": "ltrim(text): without blanks at its start.",
    "mod": "mod(a, b): the remainder of a division.",
    "nullif": "nullif(a, b): null where a equals b, else a.",
    "octet_length": "octet_length(text): how many bytes.",
    "power": "power(a, b): a to the power b.",
    "regexp_like": "regexp_like(text, pattern, 'i'): as matches; 'i' ignores case.",
    "regexp_replace": "regexp_replace(text, pattern, by, 'g'): what matches, replaced; without 'g' only the first.",
    "replace": "replace(text, old, new): every old replaced by new.",
    "reverse": "reverse(text): from its end to its start.",
    "right": "right(text, n): the last n characters.",
    "round": "round(number, digits): rounded, halves to the even digit.",
    "rpad": "rpad(text, n, fill): filled at its end to n characters.",
    "rtrim": "rtrim(text): without blanks at its end.",
    "sign": "sign(number): -1, 0 or 1.",
    "split_part": "split_part(text, separator, n): the n-th piece, counted from 1.",
    "sqrt": "sqrt(number): the square root.",
    "starts_with": "starts_with(text, start): whether the text starts so.",
    "strftime": "strftime(time, '%Y-%m'): the time as text.",
    "string_to_array": "string_to_array(text, separator): the pieces of the text as a list.",
    "substr": "substr(text, start, n): n characters from start, counted from 1.",
    "trim": "trim(text): without blanks at both ends.",
    "upper": "upper(text): in upper case.",
}
AGGREGATE = {
    "array_agg": "array_agg(x ORDER BY y): the values as a list, in that order.",
    "avg": "avg(x): the mean.",
    "corr": "corr(x, y): the correlation of two columns.",
    "count": "count(*), count(x), count(DISTINCT x): rows, values that are not null, different values.",
    "max": "max(x): the largest.",
    "median": "median(x): the middle value.",
    "min": "min(x): the smallest.",
    "quantile_cont": "quantile_cont(x, 0.95): the value below which that share lies, interpolated.",
    "quantile_disc": "quantile_disc(x, 0.95): the value of the column below which that share lies.",
    "stddev": "stddev(x): the standard deviation of a sample.",
    "string_agg": "string_agg(x, ', ' ORDER BY y): the texts as one, in that order.",
    "sum": "sum(x): the sum; null where there is nothing to sum.",
    "variance": "variance(x): the variance of a sample.",
}
WINDOW = {
    "dense_rank": "dense_rank() OVER (ORDER BY x): the rank, without gaps after equals.",
    "first_value": "first_value(x) OVER (PARTITION BY a ORDER BY b): x of the first row.",
    "lag": "lag(x, n) OVER (PARTITION BY a ORDER BY b): x of n rows before.",
    "last_value": "last_value(x) OVER (PARTITION BY a ORDER BY b): x of the last row, of any of several.",
    "lead": "lead(x, n) OVER (PARTITION BY a ORDER BY b): x of n rows after.",
    "rank": "rank() OVER (ORDER BY x): the rank, with gaps after equals.",
    "row_number": "row_number() OVER (PARTITION BY a ORDER BY b): 1, 2, 3 …",
}
UNNEST = {"unnest": "unnest(list): one row for each value, as a column of a SELECT; an empty list gives one null."}

FUNCTIONS: dict[str, str] = dict(sorted((SCALAR | AGGREGATE | WINDOW | UNNEST).items()))
"""Name -> one sentence. What is missing here cannot be called, whatever the database below can do."""

INSTEAD = {
    "now": "run.started_at",
    "current_timestamp": "run.started_at",
    "current_date": "date_trunc('day', run.started_at)",
    "datediff": "date_diff('day', from, to)",
    "list_agg": "array_agg",
    "group_concat": "string_agg",
    "regexp_matches": "matches",
    "substring": "substr",
    "contains": "matches or LIKE '%…%'",
    "strpos": "matches or LIKE '%…%'",
    "position": "matches or LIKE '%…%'",
    "len": "length",
    "md5": "sha256",
    "any": "list_contains(list, value)",
}
"""What authors bring from other databases -> what to write here."""
