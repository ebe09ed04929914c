// Shows /openapi.json on the page /docs. A file of its own, because the page's Content-Security-Policy forbids inline scripts.
SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true});
