"""The calls that start, stop, fetch and delete captures."""

import json

from ros2bench_machine_reader.captures import Captures
from ros2bench_machine_reader.routing import (
    JSON,
    CallRefused,
    Extension,
    Request,
    Response,
    Route,
    json_response,
)
from ros2bench_machine_reader.sources import COLUMNS, TIMES

MOST_ROWS = 20_000
ROOT = '/v1/captures'
ONE = ROOT + '/{capture}'


def extension(captures: Captures) -> Extension:
    """Routes of captures; all of them are signed."""

    def start(request: Request) -> Response:
        content = request.fields(('capture', 'pods', 'period_s', 'max_s'))
        capture = captures.start(content)
        return json_response(201, {'capture': capture.identifier, 'started_ns': capture.started_ns})

    def state(request: Request) -> Response:
        return json_response(200, captures.state(request.parts['capture']))

    def stop(request: Request) -> Response:
        return json_response(200, captures.stop(request.parts['capture']))

    def delete(request: Request) -> Response:
        captures.delete(request.parts['capture'])
        return Response(204, JSON, b'')

    def series(request: Request) -> Response:
        kind = request.query.get('kind', '')
        offset = _number(request, 'offset', 0, 0)
        limit = min(_number(request, 'limit', 1, MOST_ROWS), MOST_ROWS)
        lines, missing, columns = captures.series(request.parts['capture'], kind, offset, limit)
        head = {
            'kind': kind,
            'columns': [*TIMES, *COLUMNS[kind]],
            'missing': missing,
            'missing_columns': columns,
        }
        # The rows are JSON already: to read and write them again would cost more than all else.
        begun = json.dumps(head)[:-1].encode()
        return Response(200, JSON, b''.join((begun, b', "rows": [', b','.join(lines), b']}')))

    return Extension(
        {
            ('POST', ROOT): Route(start),
            ('GET', ONE): Route(state),
            ('DELETE', ONE): Route(delete),
            ('POST', f'{ONE}/stop'): Route(stop),
            ('GET', f'{ONE}/series'): Route(series),
        }
    )


def _number(request: Request, name: str, low: int, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) < low:
        raise CallRefused(400, f'{name} is {text!r} but must be a whole number from {low}')
    return int(text)
