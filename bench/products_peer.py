"""The peer of the product routes: Django REST framework under gunicorn with one sync worker, on the same tables and rows.

The project is created by `django-admin startproject`; models, serializers and views are written as in its tutorial, with the same
fields, filters and page size as catalog's. Tags are prefetched, and the connections to Postgres are persistent.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench.peer_environment import PeerEnvironment
from bench.processes import run_once, running
from dev.process import ports

ENVIRONMENT = PeerEnvironment(
    "djangorestframework==3.18.3", "Django==5.2.19", "gunicorn==27.0.1", "psycopg[binary]==3.3.9"
)
SETTINGS = """
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.postgres", "rest_framework", "shop"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
REST_FRAMEWORK = {{
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}}
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.postgresql",
        "HOST": {host!r}, "PORT": {port!r}, "NAME": {name!r}, "USER": {user!r}, "PASSWORD": {password!r},
        "CONN_MAX_AGE": None,
    }}
}}
"""
MODELS = """
from django.contrib.postgres.search import SearchVectorField
from django.db import models

class Tag(models.Model):
    id = models.UUIDField(primary_key=True)
    name = models.TextField()

    class Meta:
        managed = False
        db_table = "tags"

class Product(models.Model):
    id = models.UUIDField(primary_key=True)
    slug = models.TextField()
    name = models.TextField()
    description = models.TextField()
    status = models.TextField()
    price = models.BigIntegerField()
    currency = models.TextField()
    low_stock = models.BigIntegerField()
    category_id = models.UUIDField(null=True)
    media = models.JSONField()
    options = models.JSONField()
    version = models.BigIntegerField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    search = SearchVectorField()
    tags = models.ManyToManyField(Tag, through="ProductTag")

    class Meta:
        managed = False
        db_table = "products"

class ProductTag(models.Model):
    pk = models.CompositePrimaryKey("product_id", "tag_id")
    product = models.ForeignKey(Product, models.CASCADE)
    tag = models.ForeignKey(Tag, models.CASCADE)

    class Meta:
        managed = False
        db_table = "product_tags"

class StockLevel(models.Model):
    variant_id = models.UUIDField(primary_key=True)
    on_hand = models.BigIntegerField()
    reserved = models.BigIntegerField()
    backorder_limit = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "stock_levels"
"""
VIEWS = """
from django.contrib.postgres.search import SearchQuery
from django.db.models import F, OuterRef, Subquery
from rest_framework import generics, pagination, serializers

from shop.models import Product, StockLevel

class ProductSerializer(serializers.ModelSerializer):
    tags = serializers.SlugRelatedField("name", many=True, read_only=True)
    availability = serializers.SerializerMethodField()

    class Meta:
        model = Product
        fields = ["id", "slug", "name", "description", "status", "price", "currency", "availability", "low_stock", "category_id",
            "tags", "media", "options", "version", "created_at", "updated_at"]

    def get_availability(self, product):
        if product.orderable is None or product.orderable > product.low_stock:
            return "in_stock"
        return "low" if product.orderable > 0 else "out"

class NewestFirst(pagination.CursorPagination):
    page_size = 20
    ordering = ("-created_at", "-id")

orderable = StockLevel.objects.filter(variant_id=OuterRef("pk")).values(orderable=F("on_hand") - F("reserved") + F("backorder_limit"))
products = Product.objects.filter(status="active").defer("search").annotate(orderable=Subquery(orderable)).prefetch_related("tags")

class ProductList(generics.ListAPIView):
    serializer_class = ProductSerializer
    pagination_class = NewestFirst

    def get_queryset(self):
        q = self.request.query_params.get("q")
        return products.filter(search=SearchQuery(q, config="english")) if q else products.all()

class ProductDetail(generics.RetrieveAPIView):
    serializer_class = ProductSerializer
    queryset = products
"""
URLS = """
from django.urls import path
from shop.views import ProductDetail, ProductList
urlpatterns = [path("products", ProductList.as_view()), path("products/<uuid:pk>", ProductDetail.as_view())]
"""


@asynccontextmanager
async def run_products_peer(python: Path, database_url: str) -> AsyncIterator[int]:
    """Run the peer on the database of catalog, and yield its port. Its paths are /products and /products/{id}."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="shop-products-peer-"))
    (port,) = ports.reserve_free(1)
    async with AsyncExitStack() as closing:
        closing.callback(ports.release, [port])
        closing.push_async_callback(asyncio.to_thread, shutil.rmtree, folder, ignore_errors=True)
        await run_once("startproject", [str(python), "-m", "django", "startproject", "shop", str(folder)], {})
        await asyncio.to_thread(_configure, folder / "shop", database_url)
        command = [str(python), "-m", "gunicorn", "shop.wsgi", "-w", "1", "-b", f"127.0.0.1:{port}"]
        await closing.enter_async_context(running("gunicorn", command, {}, port, folder))
        yield port


def _configure(package: Path, database_url: str) -> None:
    url = urlsplit(database_url)
    settings = SETTINGS.format(
        host=url.hostname, port=url.port, name=url.path[1:], user=url.username, password=url.password
    )
    with (package / "settings.py").open("a") as file:
        file.write(settings)
    for name, text in (("models.py", MODELS), ("views.py", VIEWS), ("urls.py", URLS)):
        (package / name).write_text(text)
