"""AWS KMS for tests: moto on a port of the kernel's choice. Says the port and two keys on one line of JSON, then serves
until standard input ends."""
import json
import os
import sys
import threading

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = boto3.client(
    "kms", region_name="eu-central-1", endpoint_url=f"http://127.0.0.1:{server.server_port}",
    aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
keys = [client.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
client.create_alias(AliasName="alias/finops", TargetKeyId=keys[0])
print(json.dumps({"port": server.server_port, "keys": keys}), flush=True)
sys.stdin.read()
os._exit(0)
