"""Open the book beside this file in a browser, with the page Try it."""

import functools
import http.server
import pathlib
import webbrowser

Handler = http.server.SimpleHTTPRequestHandler
# Windows may know other types, for which browsers refuse a program.
Handler.extensions_map |= {".js": "text/javascript", ".wasm": "application/wasm"}
Handler.log_message = lambda *_: None
serve = functools.partial(Handler, directory=pathlib.Path(__file__).resolve().parent / "book")
with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
    address = f"http://127.0.0.1:{server.server_port}/index.html"
    print(f"The book is at {address} until this window is closed.", flush=True)
    webbrowser.open(address)
    server.serve_forever()
