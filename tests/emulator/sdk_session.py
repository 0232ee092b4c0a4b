"""Zoho's official SDK made ready, in the process of a script that gets where and as whom by its arguments."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
from zohocrmsdk.src.com.zoho.api.logger import Logger
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zohocrmsdk.src.com.zoho.crm.api.sdk_config import SDKConfig


def begin() -> Path:
    """Point the SDK, a singleton of its process, where the arguments say; returns the directory for files."""
    base, client_id, client_secret, refresh_token, directory = sys.argv[1:]
    folder = Path(directory)
    Initializer.initialize(
        environment=DataCenter.Environment(base, base + "/oauth/v2/token", base),
        token=OAuthToken(client_id=client_id, client_secret=client_secret, refresh_token=refresh_token),
        store=FileStore(str(folder / "tokens.txt")),
        sdk_config=SDKConfig(update_api_domain=False),
        resource_path=str(folder),
        logger=Logger.get_instance(level=Logger.Levels.ERROR, file_path=str(folder / "sdk.log")),
    )
    logging.getLogger("SDKLogger").setLevel(logging.ERROR)
    return folder
