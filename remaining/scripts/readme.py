import re,yaml,json
src=open('/work/helm/helm/values.yaml').read().splitlines()
vals=yaml.safe_load('\n'.join(src))
rows=[];stack=[];comment=None
def get(path):
    v=vals
    for k in path: v=v[k]
    return v
def show(v):
    if v=='' : return '`""`'
    if v is None: return '`null`'
    if isinstance(v,bool): return '`%s`'%str(v).lower()
    if isinstance(v,(dict,list)): return '`%s`'%json.dumps(v,separators=(', ',': ')) if v else ('`{}`' if isinstance(v,dict) else '`[]`')
    if isinstance(v,str): return '`"%s"`'%v if re.match(r'^[0-9.]+$',v) else '`%s`'%v
    return '`%s`'%v
for line in src:
    m=re.match(r'^( *)# (-- )?(.*)$',line)
    if m:
        if m.group(2): comment=m.group(3)
        elif comment is not None: comment+=' '+m.group(3)
        continue
    m=re.match(r'^( *)([A-Za-z]+):(.*)$',line)
    if not m:
        if not line.strip(): comment=None
        continue
    depth=len(m.group(1))//2
    stack=stack[:depth]+[m.group(2)]
    if comment is not None:
        rows.append(('.'.join(stack),show(get(stack)),comment)); comment=None
# every leaf is covered by a row for itself or something above it
named={r[0] for r in rows}
def leaves(v,p):
    if isinstance(v,dict) and v:
        for k in v: leaves(v[k],p+[k])
    else:
        assert any('.'.join(p[:i]) in named for i in range(1,len(p)+1)),p
leaves(vals,[])
t='| value | default | what it does |\n|---|---|---|\n'+''.join('| `%s` | %s | %s |\n'%(a,b,c.replace('|','\\|')) for a,b,c in rows)
BEGIN='<!-- Table of values, from the comments of values.yaml; do not edit. -->\n';END='<!-- End of the table. -->\n'
p='/work/helm/helm/README.md'
s=open(p).read(); a,b=s.split(BEGIN)[0],s.split(END)[1]
open(p,'w').write(a+BEGIN+t+END+b); print(len(rows))
